"""The source of one thread rewritten as that of many lanes, under masks: syntax trees in, syntax trees out (see `lanes` for what runs).

Where lanes part, both branches run, each for its lanes; a loop goes on while it has one. Supported is what Numba compiles in kernels:
assignments (of tuples too), if, while, for, break, continue, return, conditional expressions, calls. What is not raises TypeError with its
line when the kernel is loaded.
"""

import ast
import linecache

SITES = [("", 0, "")]  # places in sources by number: (file, line, name that a statement gives to what it makes)


def compiled(node, file):
    """The code of a module that defines the rewritten function of a syntax tree."""
    made = Rewriter(node, file).function()
    return compile(ast.fix_missing_locations(ast.Module([made], [])), file, "exec")


def _load(name):
    return ast.Name(name, ast.Load())


def _store(name):
    return ast.Name(name, ast.Store())


def _called(name, *args):
    return ast.Call(_load(name), list(args), [])


def _set(name, value):
    return ast.Assign([_store(name)], value)


_JUMPS = (ast.Return, ast.Break, ast.Continue)


def _jumps(node):
    """The kinds of jumps out of a statement."""
    if isinstance(node, _JUMPS):
        return {type(node)}
    found = set()
    for field in ("body", "orelse"):
        for inner in getattr(node, field, ()) if isinstance(node, ast.stmt) else ():
            found |= _jumps(inner)
    return found & {ast.Return} if isinstance(node, (ast.For, ast.While)) else found


class Rewriter:
    """Rewrites one function."""

    def __init__(self, node, file):
        self.node, self.file, self.count = node, file, 0
        self.wanted = self._wanted_outside()
        self.loops = []  # (names of the masks of lanes that broke out and that continue) of the loops around
        self.entry = "__m0"

    def refuse(self, node, reason):
        line = linecache.getline(self.file, node.lineno).strip()
        raise TypeError(f"{self.node.name}, line {node.lineno} of {self.file}: the simulator cannot run {reason}: {line}")

    def fresh(self, kind):
        self.count += 1
        return f"__{kind}{self.count}"

    def site(self, node, name=""):
        SITES.append((self.file, node.lineno, name))
        return ast.Constant(len(SITES) - 1)

    # --- names

    def _wanted_outside(self):
        """For each list of statements (by id) the variables that lanes outside of its mask may still read: these keep what they held."""
        wanted = {}

        def reads(node):
            return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}

        def stores(node):
            parts = node.elts if isinstance(node, ast.Tuple) else [node]
            return {n.id for n in parts if isinstance(n, ast.Name)}

        def before(body, after, outside, left, head):
            """Variables that are read from a list on. after: behind it; left, head: where `break` and `continue` lead to."""
            wanted[id(body)] = wanted.get(id(body), frozenset()) | outside
            live = after
            for stmt in reversed(body):
                if isinstance(stmt, ast.If):
                    no = before(stmt.orelse, live, outside | live, left, head)
                    live = before(stmt.body, live, outside | live | no, left, head) | no | reads(stmt.test)
                elif isinstance(stmt, (ast.While, ast.For)):
                    test = reads(stmt.test if isinstance(stmt, ast.While) else stmt.iter)
                    target = stores(stmt.target) if isinstance(stmt, ast.For) else frozenset()
                    again = live | test
                    for _ in range(2):
                        also = again if any(ast.Continue in _jumps(inner) for inner in stmt.body) else frozenset()
                        again = live | test | (before(stmt.body, again, outside | live | also, live, again) - target)
                    live = again
                elif isinstance(stmt, (ast.Break, ast.Continue)):
                    live = left if isinstance(stmt, ast.Break) else head
                elif isinstance(stmt, ast.Return):
                    live = frozenset(reads(stmt))
                elif isinstance(stmt, ast.Assign):
                    live = (live - set().union(*map(stores, stmt.targets))) | reads(stmt)
                elif isinstance(stmt, ast.AugAssign):
                    live = live | reads(stmt) | stores(stmt.target)
                else:
                    live = live | reads(stmt)
            return frozenset(live)

        before(self.node.body, frozenset(), frozenset(), frozenset(), frozenset())
        return wanted

    # --- the function

    def function(self):
        node = self.node
        a = node.args
        if a.vararg or a.kwarg or a.kwonlyargs:
            self.refuse(node, "functions with * or ** arguments")
        given = {x.arg for x in a.args}
        stored = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)} - given
        body = [_set(name, _load("__undefined")) for name in sorted(stored)]
        returns = [n for n in ast.walk(node) if isinstance(n, ast.Return)]
        self.returning = not (not returns or (len(returns) == 1 and node.body[-1] is returns[0]))
        if self.returning:
            body += [_set("__v", _load("__undefined")), _set("__r", ast.Constant(False))]
        body += self.block(node.body, self.entry)
        if self.returning:
            body.append(ast.Return(_load("__v") if any(r.value is not None for r in returns) else None))
        args = ast.arguments([], [ast.arg("__L"), ast.arg(self.entry), *[ast.arg(x.arg) for x in a.args]], None, [], [], None, a.defaults)
        return ast.copy_location(ast.FunctionDef(node.name, args, body or [ast.Pass()], [], None, None, type_params=[]), node)

    def block(self, body, m):
        """Statements under the mask named m."""
        out = []
        wanted = self.wanted[id(body)]
        for k, stmt in enumerate(body):
            made = self.statement(stmt, m, wanted)
            for s in made:
                ast.copy_location(s, stmt)
                for inner in ast.walk(s):
                    if not hasattr(inner, "lineno") and isinstance(inner, (ast.stmt, ast.expr)):
                        ast.copy_location(inner, stmt)
            out += made
            jumps = _jumps(stmt)
            if jumps and isinstance(stmt, _JUMPS):
                break
            if jumps and k + 1 < len(body):
                rest = self.fresh("m")
                gone = [_load("__r")] if ast.Return in jumps else []
                if ast.Break in jumps:
                    gone.append(_load(self.loops[-1][0]))
                if ast.Continue in jumps:
                    gone.append(_load(self.loops[-1][1]))
                out.append(ast.copy_location(_set(rest, _called("__minus", _load(m), *gone)), stmt))
                tail = body[k + 1 :]
                self.wanted[id(tail)] = wanted
                then = self.block(tail, rest)
                out.append(ast.copy_location(ast.If(self.some(rest), then, []), stmt))
                break
        return out or [ast.Pass()]

    @staticmethod
    def some(m):
        return ast.Compare(_load(m), [ast.IsNot()], [ast.Constant(False)])

    def statement(self, stmt, m, wanted):
        kind = type(stmt).__name__
        method = getattr(self, "on_" + kind, None)
        if method is None:
            self.refuse(stmt, f"statements of the kind {kind}")
        return method(stmt, m, wanted)

    def on_Pass(self, stmt, m, wanted):
        return [ast.Pass()]

    def on_Expr(self, stmt, m, wanted):
        if isinstance(stmt.value, ast.Constant):
            return []
        value = self.expression(stmt.value, m)
        if isinstance(value, ast.Call) and self.cuda_name(stmt.value.func) and ".atomic." in f".{self.cuda_name(stmt.value.func)}":
            value.keywords.append(ast.keyword("wanted", ast.Constant(False)))
        return [ast.Expr(value)]

    def on_Assert(self, stmt, m, wanted):
        return []

    def on_Assign(self, stmt, m, wanted):
        value = self.expression(stmt.value, m, stmt.targets[0].id if isinstance(stmt.targets[0], ast.Name) else "")
        if len(stmt.targets) == 1 and isinstance(stmt.targets[0], ast.Name):
            return self.store(stmt.targets[0], value, m, wanted)
        temporary = self.fresh("t")
        out = [_set(temporary, value)]
        for target in stmt.targets:
            out += self.store(target, _load(temporary), m, wanted)
        return out

    def on_AnnAssign(self, stmt, m, wanted):
        return self.store(stmt.target, self.expression(stmt.value, m), m, wanted)

    def store(self, target, value, m, wanted):
        if isinstance(target, ast.Name):
            if target.id in wanted:
                value = _called("__assign", _load(m), _load(self.entry), _load(target.id), value)
            return [_set(target.id, value)]
        if isinstance(target, ast.Tuple):
            temporary = self.fresh("t")
            out = [_set(temporary, value)]
            for i, part in enumerate(target.elts):
                out += self.store(part, ast.Subscript(_load(temporary), ast.Constant(i), ast.Load()), m, wanted)
            return out
        if isinstance(target, ast.Subscript):
            where, index = self.expression(target.value, m), self.expression(target.slice, m)
            return [
                ast.Expr(ast.Call(ast.Attribute(where, "put", ast.Load()), [_load("__L"), _load(m), self.site(target), index, value], []))
            ]
        return self.refuse(target, "an assignment to that")

    def on_AugAssign(self, stmt, m, wanted):
        value = self.expression(stmt.value, m)
        if isinstance(stmt.target, ast.Name):
            return self.store(stmt.target, ast.BinOp(_load(stmt.target.id), stmt.op, value), m, wanted)
        if not isinstance(stmt.target, ast.Subscript):
            self.refuse(stmt, "an assignment to that")
        where, index = self.fresh("t"), self.fresh("t")
        site = self.site(stmt)
        old = _called("__L.get", _load(m), site, _load(where), _load(index))
        old.func = ast.Attribute(_load("__L"), "get", ast.Load())
        return [
            _set(where, self.expression(stmt.target.value, m)),
            _set(index, self.expression(stmt.target.slice, m)),
            ast.Expr(
                ast.Call(
                    ast.Attribute(_load(where), "put", ast.Load()),
                    [_load("__L"), _load(m), site, _load(index), ast.BinOp(old, stmt.op, value)],
                    [],
                )
            ),
        ]

    def on_Return(self, stmt, m, wanted):
        value = ast.Constant(None) if stmt.value is None else self.expression(stmt.value, m)
        if not self.returning:
            return [ast.Return(value)]
        return [
            _set("__v", _called("__assign", _load(m), _load(self.entry), _load("__v"), value)),
            _set("__r", _called("__either", _load("__r"), _load(m))),
        ]

    def on_Break(self, stmt, m, wanted):
        name = self.loops[-1][0]
        return [_set(name, _called("__either", _load(name), _load(m)))]

    def on_Continue(self, stmt, m, wanted):
        name = self.loops[-1][1]
        return [_set(name, _called("__either", _load(name), _load(m)))]

    def on_If(self, stmt, m, wanted):
        yes, no = self.fresh("m"), self.fresh("m")
        test = self.expression(stmt.test, m)
        out = [ast.Assign([ast.Tuple([_store(yes), _store(no)], ast.Store())], _called("__branch", _load(m), test))]
        out.append(ast.If(self.some(yes), self.block(stmt.body, yes), []))
        if stmt.orelse:
            out.append(ast.If(self.some(no), self.block(stmt.orelse, no), []))
        return out

    def _loop(self, stmt, m):
        """(name of the mask of the loop, statements before it, and at the end of each turn)."""
        if stmt.orelse:
            self.refuse(stmt, "the `else` of a loop")
        kinds = set().union(*[_jumps(s) for s in stmt.body])
        lanes, left, going = self.fresh("w"), self.fresh("b"), self.fresh("k")
        self.loops.append((left, going))
        before, start, after = [], [], []
        if ast.Break in kinds:
            before.append(_set(left, ast.Constant(False)))
        if ast.Continue in kinds:
            start.append(_set(going, ast.Constant(False)))
        gone = ([_load(left)] if ast.Break in kinds else []) + ([_load("__r")] if ast.Return in kinds else [])
        if gone:
            after = [_set(lanes, _called("__minus", _load(lanes), *gone))]
        return lanes, before, start, after

    def on_While(self, stmt, m, wanted):
        lanes, before, start, after = self._loop(stmt, m)
        out = [*before, _set(lanes, _load(m))]
        body = [_set(lanes, _called("__both", _load(lanes), self.expression(stmt.test, lanes)))]
        body.append(ast.If(ast.Compare(_load(lanes), [ast.Is()], [ast.Constant(False)]), [ast.Break()], []))
        body += [*start, *self.block(stmt.body, lanes), *after]
        self.loops.pop()
        if after:
            body.append(ast.If(ast.Compare(_load(lanes), [ast.Is()], [ast.Constant(False)]), [ast.Break()], []))
        return [*out, ast.While(ast.Constant(True), body, [])]

    def on_For(self, stmt, m, wanted):
        lanes, before, start, after = self._loop(stmt, m)
        loop, value = self.fresh("i"), self.fresh("t")
        it = stmt.iter
        if isinstance(it, ast.Call) and isinstance(it.func, ast.Name) and it.func.id == "range":
            made = _called("__range", _load(m), *[self.expression(a, m) for a in it.args])
        else:
            made = _called("__Loop", _load(m), self.expression(it, m))
        out = [*before, _set(loop, made)]
        mask = ast.Attribute(_load(loop), "m", ast.Load())
        wanted = self.wanted[id(stmt.body)]
        body = [_set(lanes, mask), *self.store(stmt.target, _load(value), lanes, wanted), *start, *self.block(stmt.body, lanes), *after]
        if after:
            body.append(ast.Assign([ast.Attribute(_load(loop), "m", ast.Store())], _load(lanes)))
        self.loops.pop()
        return [*out, ast.For(_store(value), _load(loop), body, [])]

    # --- expressions

    def cuda_name(self, node):
        """ "atomic.add" of `cuda.atomic.add`; None of what does not begin so."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        return ".".join(reversed(parts)) if isinstance(node, ast.Name) and node.id == "cuda" and parts else None

    def expression(self, node, m, name=""):
        method = getattr(self, "of_" + type(node).__name__, None)
        if method is None:
            self.refuse(node, f"expressions of the kind {type(node).__name__}")
        made = method(node, m) if not isinstance(node, ast.Call) else self.of_Call(node, m, name)
        return ast.copy_location(made, node)

    def of_Constant(self, node, m):
        return ast.Constant(node.value)

    def of_Name(self, node, m):
        return _load("__L" if node.id == "cuda" else node.id)

    def of_Attribute(self, node, m):
        return ast.Attribute(self.expression(node.value, m), node.attr, ast.Load())

    def of_Tuple(self, node, m):
        return ast.Tuple([self.expression(e, m) for e in node.elts], ast.Load())

    def of_BinOp(self, node, m):
        return ast.BinOp(self.expression(node.left, m), node.op, self.expression(node.right, m))

    def of_UnaryOp(self, node, m):
        operand = self.expression(node.operand, m)
        return _called("__not", operand) if isinstance(node.op, ast.Not) else ast.UnaryOp(node.op, operand)

    def of_Compare(self, node, m):
        if len(node.ops) > 1:
            terms = [node.left, *node.comparators]
            links = [ast.copy_location(ast.Compare(a, [op], [b]), node) for a, op, b in zip(terms, node.ops, terms[1:])]
            return self.of_BoolOp(ast.copy_location(ast.BoolOp(ast.And(), links), node), m)
        return ast.Compare(self.expression(node.left, m), node.ops, [self.expression(c, m) for c in node.comparators])

    def _under(self, node):
        """A function of a mask for an expression."""
        inner = self.fresh("m")
        args = ast.arguments([], [ast.arg(inner)], None, [], [], None, [])
        return ast.Lambda(args, self.expression(node, inner))

    def of_BoolOp(self, node, m):
        first, *rest = node.values
        more = rest[0] if len(rest) == 1 else ast.copy_location(ast.BoolOp(node.op, rest), node)
        return _called("__and" if isinstance(node.op, ast.And) else "__or", _load(m), self.expression(first, m), self._under(more))

    def of_IfExp(self, node, m):
        return _called("__conditional", _load(m), self.expression(node.test, m), self._under(node.body), self._under(node.orelse))

    def of_Subscript(self, node, m):
        return ast.Call(
            ast.Attribute(_load("__L"), "get", ast.Load()),
            [_load(m), self.site(node), self.expression(node.value, m), self.expression(node.slice, m)],
            [],
        )

    def of_Call(self, node, m, name=""):
        if any(isinstance(a, ast.Starred) for a in node.args):
            self.refuse(node, "calls with * arguments")
        args = [self.expression(a, m) for a in node.args]
        keywords = [ast.keyword(k.arg, self.expression(k.value, m)) for k in node.keywords]
        if self.cuda_name(node.func):
            return ast.Call(self.expression(node.func, m), [_load(m), self.site(node, name), *args], keywords)
        if isinstance(node.func, ast.Name) and node.func.id == "len":
            return ast.Call(_load("len"), args, [])
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("view", "astype", "conjugate"):
            return ast.Call(self.expression(node.func, m), args, keywords)
        if keywords:
            self.refuse(node, "calls with named arguments")
        return _called("__call", _load("__L"), _load(m), self.site(node), self.expression(node.func, m), *args)

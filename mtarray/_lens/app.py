"""The app: `streamlit run` on this file, which `mtarray lens` does."""


def main() -> None:
    """The pages and the way between them."""
    import streamlit as st

    from mtarray._lens import arrays, functions, graphs, modules, training

    st.set_page_config(page_title="mtarray lens", layout="wide")
    st.navigation(
        [
            st.Page(arrays.page, title="Arrays", url_path="arrays", default=True),
            st.Page(graphs.page, title="Graphs", url_path="graphs"),
            st.Page(functions.page, title="Functions", url_path="functions"),
            st.Page(modules.page, title="Modules", url_path="modules"),
            st.Page(training.page, title="Training", url_path="training"),
        ]
    ).run()


if __name__ == "__main__":  # as Streamlit runs it
    main()

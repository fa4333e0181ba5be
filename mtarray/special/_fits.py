"""Minimax polynomials as scalar functions, and constants: written by `mtarray_tests.fit_special`."""

PSI_ROOT = 1.4616321449683622
PSI_ROOT_LOW = 9.549995429965697e-17
EI_ROOT = 0.3725074107813666
EI_ROOT_LOW = 1.3140183414386028e-17
J0_ZERO_1 = 2.404825557695773
J0_ZERO_1_LOW = -1.176691651530894e-16
J0_ZERO_2 = 5.520078110286311
J0_ZERO_2_LOW = 8.088597146146722e-17
J1_ZERO_1 = 3.8317059702075125
J1_ZERO_1_LOW = -1.5269184090088067e-16
J1_ZERO_2 = 7.015586669815619
J1_ZERO_2_LOW = -9.414165653410389e-17
HALF_LOG_TWO_PI = 0.9189385332046728
HALF_LOG_TWO_PI_LOW = -3.8782941580672414e-17
LN2 = 0.6931471805599453
LN2_LOW = 2.3190468138462996e-17
LOG_TWO_PI = 1.8378770664093456
LOG_TWO_PI_LOW = -7.756588316134483e-17
PI = 3.141592653589793
PI_LOW = 1.2246467991473532e-16
RSQRT2 = 0.7071067811865476
RSQRT2_LOW = -4.833646656726457e-17


def sinpi_tail(z):
    # largest weighted error 2^-54.3
    w = z * z
    even = -2.234726366393407e-08
    even = even * w + -2.1915282038146008e-05
    even = even * w + -0.007370430944795238
    even = even * w + -0.599264529320791
    even = even * w + -5.16771278004997
    odd = 7.949236328726363e-07
    odd = odd * w + 0.0004663027952039083
    odd = odd * w + 0.08214588661108325
    odd = odd * w + 2.5501640398773455
    return even + z * odd


def erfcx_near(z):
    # largest weighted error 2^-56.4
    w = z * z
    even = 1.9276378460817452e-10
    even = even * w + 5.233853111363433e-10
    even = even * w + -1.5704710513282785e-09
    even = even * w + -5.105405099473877e-09
    even = even * w + -4.625538425033904e-08
    even = even * w + 2.3291904859942614e-06
    even = even * w + -4.278247512076636e-05
    even = even * w + 0.0005643844604582782
    even = even * w + -0.004215019912427917
    even = even * w + -0.048823325827607796
    even = even * w + -0.11508959816020162
    even = even * w + -0.010555596332218163
    even = even * w + 1.2423492448711544
    odd = 1.972816447255599e-10
    odd = odd * w + -3.191554733262116e-09
    odd = odd * w + 1.8975806073355755e-08
    odd = odd * w + -1.0405779752759007e-07
    odd = odd * w + 6.085946257653633e-07
    odd = odd * w + -3.81854490972643e-06
    odd = odd * w + 2.4262299359351167e-05
    odd = odd * w + -0.00012151272155300052
    odd = odd * w + -0.0003022678344624589
    odd = odd * w + 0.019099330938624613
    odd = odd * w + 0.08798315382505004
    odd = odd * w + 0.09751909515325448
    odd = odd * w + -0.1400091801376194
    return even + z * odd


def ndtri_central(z):
    # largest weighted error 2^-54.6
    w = z * z
    even = 1.838976285897069e-12
    even = even * w + -1.132260265054866e-13
    even = even * w + 4.1622231772640087e-11
    even = even * w + 2.2074217229350857e-10
    even = even * w + 1.7151777301705186e-09
    even = even * w + 1.2630739473026789e-08
    even = even * w + 9.528867975751356e-08
    even = even * w + 7.34405196210313e-07
    even = even * w + 5.831654570411175e-06
    even = even * w + 4.8332932068148e-05
    even = even * w + 0.0004282119676419387
    even = even * w + 0.00427014116346595
    even = even * w + 0.055695000431073345
    even = even * w + 2.7266649486974748
    odd = 4.6187157649513626e-12
    odd = odd * w + 1.5493721944235905e-12
    odd = odd * w + 1.0649038996483292e-10
    odd = odd * w + 6.051839130424691e-10
    odd = odd * w + 4.651835314031671e-09
    odd = odd * w + 3.4607838818448897e-08
    odd = odd * w + 2.6370626495810133e-07
    odd = odd * w + 2.0604541864709876e-06
    odd = odd * w + 1.6680252434163694e-05
    odd = odd * w + 0.0001423523061567425
    odd = odd * w + 0.0013252569261270285
    odd = odd * w + 0.014631491457885434
    odd = odd * w + 0.264366891438606
    return even + z * odd


def ndtri_near(z):
    # largest weighted error 2^-53.6
    w = z * z
    even = -1.4662715009416994e-11
    even = even * w + -7.200908868090961e-11
    even = even * w + -9.185665277159548e-10
    even = even * w + -9.387599975193508e-09
    even = even * w + -1.0096262852775099e-07
    even = even * w + -1.1191596684143328e-06
    even = even * w + -1.2979236670347493e-05
    even = even * w + -0.00016024587491044698
    even = even * w + -0.002154937611642172
    even = even * w + -0.032934802618543424
    even = even * w + 2.2866203381786097
    odd = 4.6467438079195186e-11
    odd = odd * w + 2.328378927961075e-10
    odd = odd * w + 2.9579983989184157e-09
    odd = odd * w + 3.066249947052423e-08
    odd = odd * w + 3.345644200256702e-07
    odd = odd * w + 3.786139371515097e-06
    odd = odd * w + 4.519244990601046e-05
    odd = odd * w + 0.0005803692976183303
    odd = odd * w + 0.008250113027233243
    odd = odd * w + 1.1409566844446053
    return even + z * odd


def ndtri_middle(z):
    # largest weighted error 2^-55.8
    w = z * z
    even = -4.7896973371112594e-15
    even = even * w + -3.242193246535376e-14
    even = even * w + -4.964140934546103e-13
    even = even * w + -6.784599673104485e-12
    even = even * w + -1.0143018462565153e-10
    even = even * w + -1.683450355088819e-09
    even = even * w + -3.2647928996116807e-08
    even = even * w + -8.089089405667614e-07
    even = even * w + -3.4694637139082416e-05
    even = even * w + -0.005109342187380887
    even = even * w + 0.9065564512701231
    odd = 1.4284737674878754e-15
    odd = odd * w + 8.771481515487733e-15
    odd = odd * w + 1.369100211073138e-13
    odd = odd * w + 1.8063390173741494e-12
    odd = odd * w + 2.5963465077652007e-11
    odd = odd * w + 4.0671267664365907e-10
    odd = odd * w + 7.242142537367862e-09
    odd = odd * w + 1.5604497505566942e-07
    odd = odd * w + 4.7705692312521714e-06
    odd = odd * w + 0.000340705852064449
    odd = odd * w + -0.05145904720341127
    return even + z * odd


def ndtri_far(z):
    # largest weighted error 2^-53.9
    w = z * z
    even = -1.2178588059839973e-15
    even = even * w + -7.95260560342434e-15
    even = even * w + -1.237933294105809e-13
    even = even * w + -1.6858422246887905e-12
    even = even * w + -2.51618258427861e-11
    even = even * w + -4.1602268251938413e-10
    even = even * w + -8.057513452731233e-09
    even = even * w + -2.0422204453451685e-07
    even = even * w + -8.992568716138972e-06
    even = even * w + -0.0018441482319250424
    even = even * w + 0.9708741027039214
    odd = 4.093112421122293e-15
    odd = odd * w + 2.9706876311489946e-14
    odd = odd * w + 4.548489681732921e-13
    odd = odd * w + 6.443131343574556e-12
    odd = odd * w + 1.0073427494786908e-10
    odd = odd * w + 1.7860332332930834e-09
    odd = odd * w + 3.8805204137770426e-08
    odd = odd * w + 1.2211353750606335e-06
    odd = odd * w + 9.576995755185662e-05
    odd = odd * w + -0.016592802815646037
    return even + z * odd


def ndtri_farthest(z):
    # largest weighted error 2^-54.1
    w = z * z
    even = -1.2806866400247694e-15
    even = even * w + -3.840481299594075e-15
    even = even * w + -8.046529575525209e-14
    even = even * w + -9.067219403766717e-13
    even = even * w + -1.1963460493742786e-11
    even = even * w + -1.7352809936788526e-10
    even = even * w + -2.9456367725553913e-09
    even = even * w + -6.549788366965797e-08
    even = even * w + -2.5937447690014865e-06
    even = even * w + -0.0006308848547324077
    even = even * w + 0.9921715176384114
    odd = 3.9530186876977467e-16
    odd = odd * w + 1.1032024962015188e-15
    odd = odd * w + 2.373793181187606e-14
    odd = odd * w + 2.575099777167526e-13
    odd = odd * w + 3.271878415010306e-12
    odd = odd * w + 4.485453627675418e-11
    odd = odd * w + 6.976128020309367e-10
    odd = odd * w + 1.32747826058e-08
    odd = odd * w + 3.6957500599132823e-07
    odd = odd * w + 2.7411147873028945e-05
    odd = odd * w + -0.004889953017688147
    return even + z * odd


def rgamma(z):
    # largest weighted error 2^-56.1
    w = z * z
    even = 5.117029866552462e-09
    even = even * w + -2.0568753523127588e-07
    even = even * w + -1.250479903754781e-06
    even = even * w + 0.0001280502803822111
    even = even * w + -0.001165167591684702
    even = even * w + -0.009621971527885501
    even = even * w + 0.1665386113822917
    even = even * w + -0.6558780715202539
    even = even * w + 1.0
    odd = -1.1792334853946902e-09
    odd = odd * w + 6.119311559237991e-09
    odd = odd * w + 1.133025019694269e-06
    odd = odd * w + -2.0134854171273698e-05
    odd = odd * w + -0.0002152416742034116
    odd = odd * w + 0.007218943246670147
    odd = odd * w + -0.04219773455554463
    odd = odd * w + -0.04200263503409523
    odd = odd * w + 0.5772156649015329
    return even + z * odd


def lgamma_one(z):
    # largest weighted error 2^-54.3
    w = z * z
    even = -0.02504900823858462
    even = even * w + -0.048932497695445366
    even = even * w + -0.04214521542434841
    even = even * w + -0.0475975161384194
    even = even * w + -0.05265965067730197
    even = even * w + -0.058820228752956394
    even = even * w + -0.0666689700591041
    even = even * w + -0.07693250503431538
    even = even * w + -0.09095401745508987
    even = even * w + -0.11133426586434039
    even = even * w + -0.14404989676889796
    even = even * w + -0.2073855510286737
    even = even * w + -0.40068563438653143
    even = even * w + -0.5772156649015329
    odd = 0.006437043157290803
    odd = odd * w + 0.04405229691837563
    odd = odd * w + 0.04433324340492872
    odd = odd * w + 0.04445167204361919
    odd = odd * w + 0.05014362313144989
    odd = odd * w + 0.0555450447611561
    odd = odd * w + 0.06250135065400318
    odd = odd * w + 0.07143294512560802
    odd = odd * w + 0.08335384001860713
    odd = odd * w + 0.10009945753556669
    odd = odd * w + 0.1255096695242956
    odd = odd * w + 0.16955717699741257
    odd = odd * w + 0.27058080842778454
    odd = odd * w + 0.8224670334241132
    return even + z * odd


def lgamma_two(z):
    # largest weighted error 2^-53.7
    w = z * z
    even = -1.4328437899963728e-07
    even = even * w + -4.2005468114821144e-07
    even = even * w + -2.049749104358541e-06
    even = even * w + -9.437237980228922e-06
    even = even * w + -4.4926530959320954e-05
    even = even * w + -0.00022315473517918195
    even = even * w + -0.0011927539127578025
    even = even * w + -0.007385551028649723
    even = even * w + -0.06735230105319831
    even = even * w + 0.42278433509846713
    odd = 2.7849213451820815e-07
    odd = odd * w + 9.20317091072433e-07
    odd = odd * w + 4.3845887270127154e-06
    odd = odd * w + 2.050561762223478e-05
    odd = odd * w + 9.945767000409308e-05
    odd = odd * w + 0.0005096695156782977
    odd = odd * w + 0.0028905103310236475
    odd = odd * w + 0.02058080842778057
    odd = odd * w + 0.32246703342411326
    return even + z * odd


def stirling(z):
    # largest weighted error 2^-54.0
    w = z * z
    even = 0.11018691119879208
    even = even * w + 0.006383594815513876
    even = even * w + 0.0008417495973506298
    even = even * w + 0.0007936507936452467
    even = even * w + 0.08333333333333333
    odd = -0.02775346651183663
    odd = odd * w + -0.0019172906688246177
    odd = odd * w + -0.0005952380915325647
    odd = odd * w + -0.0027777777777777744
    return even + z * odd


def psi_near(z):
    # largest weighted error 2^-54.3
    w = z * z
    even = 5.707230325232378e-05
    even = even * w + 3.6806750503335456e-05
    even = even * w + 0.00014776968564393072
    even = even * w + 0.00030571341507810746
    even = even * w + 0.0006950061906762358
    even = even * w + 0.0015627745072166175
    even = even * w + 0.0035181634777962175
    even = even * w + 0.00792701829893646
    even = even * w + 0.017907248448841912
    even = even * w + 0.04076083393808971
    even = even * w + 0.09498872445291727
    even = even * w + 0.2405424842407869
    even = even * w + 0.9510558760318328
    odd = -8.399396077810397e-05
    odd = odd * w + -5.7632072791559896e-05
    odd = odd * w + -0.00022006721305501927
    odd = odd * w + -0.0004591803371779304
    odd = odd * w + -0.001042436216017428
    odd = odd * w + -0.0023446246600783236
    odd = odd * w + -0.0052800202457325635
    odd = odd * w + -0.011908215024100638
    odd = odd * w + -0.026975796849828045
    odd = odd * w + -0.06192213327154175
    odd = odd * w + -0.14840492305391872
    odd = odd * w + -0.42362742128146047
    return even + z * odd


def psi_far(z):
    # largest weighted error 2^-54.0
    w = z * z
    even = 1.7756572923328724
    even = even * w + 0.0828519010884152
    even = even * w + 0.007575735249381839
    even = even * w + 0.003968253968154792
    even = even * w + 0.08333333333333333
    odd = -0.4105993406769341
    odd = odd * w + -0.021088546450990585
    odd = odd * w + -0.004166666600311467
    odd = odd * w + -0.008333333333333276
    return even + z * odd


def zeta_near(z):
    # largest weighted error 2^-57.6
    w = z * z
    even = -4.206632440557544e-21
    even = even * w + -7.357163801646296e-20
    even = even * w + 2.1677249351718727e-16
    even = even * w + 4.4104254691779014e-15
    even = even * w + -6.768689864025477e-12
    even = even * w + 9.478277782784706e-11
    even = even * w + 1.0462094584479181e-07
    even = even * w + -6.6110318108421895e-06
    even = even * w + -0.00034230573671722433
    even = even * w + 0.07281584548367673
    even = even * w + 1.0
    odd = 4.9001028296799376e-20
    odd = odd * w + -9.546678181956275e-18
    odd = odd * w + -2.3997834612926664e-15
    odd = odd * w + 3.492115915562982e-13
    odd = odd * w + 5.658421927710529e-11
    odd = odd * w + -8.733218100274104e-09
    odd = odd * w + -3.3162409087527717e-07
    odd = odd * w + 9.689041939447084e-05
    odd = odd * w + -0.00484518159643616
    odd = odd * w + 0.5772156649015329
    return even + z * odd


def log1pmx(z):
    # largest weighted error 2^-55.6
    w = z * z
    even = 0.02695562301150704
    even = even * w + 0.059716133349257655
    even = even * w + 0.03282539796598641
    even = even * w + 0.04731099477467796
    even = even * w + 0.04976445220468402
    even = even * w + 0.05557476149806117
    even = even * w + 0.062498979593645976
    even = even * w + 0.07142860602324942
    even = even * w + 0.08333333263329475
    even = even * w + 0.10000000000704515
    even = even * w + 0.12499999999999023
    even = even * w + 0.16666666666666632
    even = even * w + 0.25
    even = even * w + 0.5
    odd = -0.06367759046358798
    odd = odd * w + -0.0356107335511804
    odd = odd * w + -0.04280851466938967
    odd = odd * w + -0.04798897304797844
    odd = odd * w + -0.05256508473840511
    odd = odd * w + -0.0588303724278115
    odd = odd * w + -0.06666621854493823
    odd = odd * w + -0.07692309606201557
    odd = odd * w + -0.09090909038318605
    odd = odd * w + -0.11111111111997918
    odd = odd * w + -0.14285714285705933
    odd = odd * w + -0.20000000000000037
    odd = odd * w + -0.3333333333333333
    return even + z * odd


def i0_near(z):
    # largest weighted error 2^-54.8
    w = z * z
    even = 2.0283623085175484e-27
    even = even * w + 1.3133714428766097e-22
    even = even * w + 4.358334707236629e-18
    even = even * w + 7.594058046383589e-14
    even = even * w + 6.151187325963224e-10
    even = even * w + 1.929012345678522e-06
    even = even * w + 0.0017361111111111106
    even = even * w + 0.25
    even = even * w + 1.0
    odd = 1.1878982797566914e-29
    odd = odd * w + 5.944205522279886e-25
    odd = odd * w + 2.579355028145578e-20
    odd = odd * w + 6.276086646928568e-16
    odd = odd * w + 7.59405844867445e-12
    odd = odd * w + 3.936759889164639e-08
    odd = odd * w + 6.944444444444514e-05
    odd = odd * w + 0.02777777777777778
    odd = odd * w + 1.0
    return even + z * odd


def i0_far(z):
    # largest weighted error 2^-53.8
    w = z * z
    even = -5.7785560155904014e-11
    even = even * w + 4.4114528148297523e-10
    even = even * w + -1.577661341700196e-09
    even = even * w + 3.579082541738971e-09
    even = even * w + -5.900741302516782e-09
    even = even * w + 7.399415455244276e-09
    even = even * w + -5.392723566169079e-09
    even = even * w + -6.750695360065934e-09
    even = even * w + 2.1548855236551507e-08
    even = even * w + 8.872215413099962e-08
    even = even * w + 1.4838475677885298e-06
    even = even * w + 0.00013621607439189736
    even = even * w + 0.4021765094450081
    odd = -2.254533977339049e-11
    odd = odd * w + 1.6566879130798327e-10
    odd = odd * w + -6.030883055452496e-10
    odd = odd * w + 1.5639375454886714e-09
    odd = odd * w + -3.544222724513676e-09
    odd = odd * w + 7.574290593217833e-09
    odd = odd * w + -1.3416970189665871e-08
    odd = odd * w + 7.556604459116096e-09
    odd = odd * w + 3.932556679826925e-08
    odd = odd * w + 2.9735988098169456e-07
    odd = odd * w + 1.1143033790118983e-05
    odd = odd * w + 0.0033605519836678705
    return even + z * odd


def i1_near(z):
    # largest weighted error 2^-55.0
    w = z * z
    even = 6.024755616148003e-29
    even = even * w + 4.3791099587887584e-24
    even = even * w + 1.6762872980597473e-19
    even = even * w + 3.451844618120562e-15
    even = even * w + 3.4173262923728874e-11
    even = even * w + 1.377865961199106e-07
    even = even * w + 0.0001736111111111111
    even = even * w + 0.041666666666666664
    even = even * w + 0.5
    odd = 3.2537523368045334e-31
    odd = odd * w + 1.8541257926027944e-26
    odd = odd * w + 9.211698936881867e-22
    odd = odd * w + 2.6150355295457638e-17
    odd = odd * w + 3.797029220885738e-13
    odd = odd * w + 2.46047493072169e-09
    odd = odd * w + 5.7870370370370655e-06
    odd = odd * w + 0.003472222222222222
    odd = odd * w + 0.25
    return even + z * odd


def i1_far(z):
    # largest weighted error 2^-55.4
    w = z * z
    even = 5.995990685731265e-11
    even = even * w + -4.5812310586520496e-10
    even = even * w + 1.6405994162572844e-09
    even = even * w + -3.731549808708231e-09
    even = even * w + 6.18608907860607e-09
    even = even * w + -7.855041557884511e-09
    even = even * w + 5.961503570068906e-09
    even = even * w + 6.737729157527689e-09
    even = even * w + -2.3374442005551e-08
    even = even * w + -1.0001283626440624e-07
    even = even * w + -1.8349101348239377e-06
    even = even * w + -0.00021923576383385302
    even = even * w + 0.38939845902587233
    odd = 2.08578960907701e-11
    odd = odd * w + -1.5330094874774559e-10
    odd = odd * w + 5.6176971007057e-10
    odd = odd * w + -1.4834851835499455e-09
    odd = odd * w + 3.465209235469487e-09
    odd = odd * w + -7.664466863027935e-09
    odd = odd * w + 1.4042409774532326e-08
    odd = odd * w + -8.429702357693379e-09
    odd = odd * w + -4.3128898019563406e-08
    odd = odd * w + -3.483855983853123e-07
    odd = odd * w + -1.5038547199751039e-05
    odd = odd * w + -0.009749577193235746
    return even + z * odd


def j0_near(z):
    # largest weighted error 2^-52.5
    w = z * z
    even = 1.52798854830299e-19
    even = even * w + 4.188157980438289e-16
    even = even * w + 6.53196123967106e-13
    even = even * w + 5.263104132522874e-10
    even = even * w + 1.9115376799891722e-07
    even = even * w + 2.531415275789993e-05
    even = even * w + 0.0008320347890581551
    even = even * w + 0.002430675493924603
    odd = -2.399530376084531e-21
    odd = odd * w + -8.539192662344607e-18
    odd = odd * w + -1.7843448714971653e-14
    odd = odd * w + -2.0284563483285996e-11
    odd = odd * w + -1.1201566488659219e-08
    odd = odd * w + -2.5407373066793442e-06
    odd = odd * w + -0.00017922875807499373
    odd = odd * w + -0.002204696491432354
    return even + z * odd


def j1_near(z):
    # largest weighted error 2^-55.9
    w = z * z
    even = 4.459258223575441e-21
    even = even * w + 1.3824957715431194e-17
    even = even * w + 2.4804180966687976e-14
    even = even * w + 2.3510412316080963e-11
    even = even * w + 1.0356654702762292e-08
    even = even * w + 1.7388069789124862e-06
    even = even * w + 7.766120861800151e-05
    even = even * w + 0.0003483739060920107
    odd = -6.629912953366575e-23
    odd = odd * w + -2.6455457004417214e-19
    odd = odd * w + -6.302232197175862e-16
    odd = odd * w + -8.327562998093309e-13
    odd = odd * w + -5.485911984972528e-10
    odd = odd * w + -1.5395754280201377e-07
    odd = odd * w + -1.4194148437525585e-05
    odd = odd * w + -0.00024978987935705466
    return even + z * odd


def j0_p(z):
    # largest weighted error 2^-54.1
    w = z * z
    even = 6.219687415943062e-13
    even = even * w + 7.388517060213727e-13
    even = even * w + 1.238540328723986e-11
    even = even * w + 1.2731502658309517e-10
    even = even * w + 2.2841606946648074e-09
    even = even * w + 9.169951833561873e-08
    even = even * w + 1.8014620576587416e-05
    even = even * w + 0.9990437217524405
    odd = -3.377066636880513e-13
    odd = odd * w + -3.915615074593219e-14
    odd = odd * w + -4.641826180779611e-12
    odd = odd * w + -3.6379745518851847e-11
    odd = odd * w + -5.006537526841159e-10
    odd = odd * w + -1.2683250692057856e-08
    odd = odd * w + -9.640070189387336e-07
    odd = odd * w + -0.0009371922699207691
    return even + z * odd


def j0_q(z):
    # largest weighted error 2^-53.3
    w = z * z
    even = -2.424637558293765e-13
    even = even * w + 1.296279851155727e-13
    even = even * w + -2.2144154449848984e-12
    even = even * w + -1.1776397979774428e-11
    even = even * w + -1.154277046192264e-10
    even = even * w + -1.7047567717957232e-09
    even = even * w + -5.080823462926948e-08
    even = even * w + -5.601709278629806e-06
    even = even * w + -0.0206704389555253
    odd = 1.5266414999948975e-13
    odd = odd * w + -2.078411850488266e-13
    odd = odd * w + 1.1668474404333975e-12
    odd = odd * w + 4.0620922506454305e-12
    odd = odd * w + 3.5878752537855284e-11
    odd = odd * w + 4.146122043437228e-10
    odd = odd * w + 8.314438706502027e-09
    odd = odd * w + 4.2401910694767565e-07
    odd = odd * w + 0.0001568072367962725
    return even + z * odd


def j1_p(z):
    # largest weighted error 2^-56.8
    w = z * z
    even = -6.605711368290257e-13
    even = even * w + -8.035054753590184e-13
    even = even * w + -1.3373451226421307e-11
    even = even * w + -1.3922742709433435e-10
    even = even * w + -2.54513347105703e-09
    even = even * w + -1.0614575434802537e-07
    even = even * w + -2.3498146531538094e-05
    even = even * w + 1.0016013920824152
    odd = 3.579252096331668e-13
    odd = odd * w + 4.831142404419634e-14
    odd = odd * w + 4.98591005926516e-12
    odd = odd * w + 3.9540697834147504e-11
    odd = odd * w + 5.518796816307013e-10
    odd = odd * w + 1.4347973817296005e-08
    odd = odd * w + 1.1602937300851394e-06
    odd = odd * w + 0.001576609852414421
    return even + z * odd


def j1_q(z):
    # largest weighted error 2^-54.2
    w = z * z
    even = 2.5585870894185725e-13
    even = even * w + -1.3286543847781413e-13
    even = even * w + 2.36069912680514e-12
    even = even * w + 1.2697911855507878e-11
    even = even * w + 1.2563505967658257e-10
    even = even * w + 1.885773789287209e-09
    even = even * w + 5.796064882906254e-08
    even = even * w + 6.945249136106072e-06
    even = even * w + 0.062270807100537805
    odd = -1.6096826248960834e-13
    odd = odd * w + 2.1777494965909988e-13
    odd = odd * w + -1.2390765936636057e-12
    odd = odd * w + -4.367336218867568e-12
    odd = odd * w + -3.883243643826123e-11
    odd = odd * w + -4.5446332500034636e-10
    odd = odd * w + -9.31316777047381e-09
    odd = odd * w + -4.98055786917296e-07
    odd = odd * w + -0.0002216797952867486
    return even + z * odd


def e1_near(z):
    # largest weighted error 2^-57.1
    w = z * z
    even = -7.561729978211833e-13
    even = even * w + -1.7378705612869075e-10
    even = even * w + -2.755718266539106e-08
    even = even * w + -3.100198383666912e-06
    even = even * w + -0.00023148148147976138
    even = even * w + -0.010416666666666644
    even = even * w + -0.25
    even = even * w + -0.5772156649015329
    odd = 3.203339675719392e-14
    odd = odd * w + 1.2221618128365556e-11
    odd = odd * w + 2.2772776220294855e-09
    odd = odd * w + 3.0619236239881774e-07
    odd = odd * w + 2.8344671193452148e-05
    odd = odd * w + 0.0016666666666664222
    odd = odd * w + 0.05555555555555555
    odd = odd * w + 1.0
    return even + z * odd


def e1_middle(z):
    # largest weighted error 2^-53.9
    w = z * z
    even = -8.523020509609585e-10
    even = even * w + 1.6138519798429557e-09
    even = even * w + -8.74047787291656e-09
    even = even * w + -1.4318932581255289e-08
    even = even * w + -1.0184779255258778e-07
    even = even * w + -4.931948923454626e-07
    even = even * w + -2.5914412122519816e-06
    even = even * w + -1.4099264970314578e-05
    even = even * w + -8.089570687060914e-05
    even = even * w + -0.0004991264766664004
    even = even * w + -0.003417845778052493
    even = even * w + -0.027342766223552882
    even = even * w + 0.7226572337764452
    odd = 4.671597757485995e-10
    odd = odd * w + -1.1946330881213876e-09
    odd = odd * w + 5.236093371059575e-09
    odd = odd * w + 4.514980871118318e-09
    odd = odd * w + 4.7670616960676996e-08
    odd = odd * w + 2.1690862976995092e-07
    odd = odd * w + 1.1288710357781693e-06
    odd = odd * w + 6.009349988740122e-06
    odd = odd * w + 3.3515578026527406e-05
    odd = odd * w + 0.00019880109578087813
    odd = odd * w + 0.0012858359855260353
    odd = odd * w + 0.009440514073507229
    odd = odd * w + 0.08398585066466786
    return even + z * odd


def e1_far(z):
    # largest weighted error 2^-57.0
    w = z * z
    even = 1.5450891985734104e-13
    even = even * w + 7.460325385173427e-13
    even = even * w + 1.0612570754778831e-11
    even = even * w + 1.23647870821326e-10
    even = even * w + 1.6018085305874177e-09
    even = even * w + 2.2839086911816225e-08
    even = even * w + 3.6969719652935914e-07
    even = even * w + 7.1188552207132165e-06
    even = even * w + 0.00017754871314422038
    even = even * w + 0.006932202763384921
    even = even * w + 0.8398871458908591
    odd = -5.1006789073602735e-14
    odd = odd * w + -2.1338228770368752e-13
    odd = odd * w + -3.178310744207834e-12
    odd = odd * w + -3.54055917102044e-11
    odd = odd * w + -4.4067270592376526e-10
    odd = odd * w + -5.9656384774596724e-09
    odd = odd * w + -9.023064118147906e-08
    odd = odd * w + -1.581084525966977e-06
    odd = odd * w + -3.414826100154926e-05
    odd = odd * w + -0.001027712508715697
    odd = odd * w + -0.05968965119986257
    return even + z * odd


def e1_farthest(z):
    # largest weighted error 2^-57.6
    w = z * z
    even = 8.320287607053137e-13
    even = even * w + 3.828594657968936e-13
    even = even * w + 1.6142087340200162e-11
    even = even * w + 1.098165087188348e-10
    even = even * w + 1.0365434304610014e-09
    even = even * w + 1.1350864675502207e-08
    even = even * w + 1.542434498646807e-07
    even = even * w + 2.7897374672314744e-06
    even = even * w + 7.599416714075e-05
    even = even * w + 0.00403085020299352
    even = even * w + 0.9497689992472512
    odd = -3.8566668371295745e-13
    odd = odd * w + 1.0610277994220093e-13
    odd = odd * w + -6.502586987663731e-12
    odd = odd * w + -3.736567397795193e-11
    odd = odd * w + -3.3480266561729625e-10
    odd = odd * w + -3.348142153301267e-09
    odd = odd * w + -4.058666213948894e-08
    odd = odd * w + -6.291548099599952e-07
    odd = odd * w + -1.3679629676252924e-05
    odd = odd * w + -0.0004958610911015699
    odd = odd * w + -0.045610985697773256
    return even + z * odd


def ei_near(z):
    # largest weighted error 2^-53.6
    w = z * z
    even = -4.661753271111166e-23
    even = even * w + -1.7675595479559725e-20
    even = even * w + -1.3669807723150062e-18
    even = even * w + 1.0575424054068727e-16
    even = even * w + 5.12248093219829e-14
    even = even * w + 1.2660197948453254e-11
    even = even * w + 2.3440148021770868e-09
    even = even * w + 3.167829902370732e-07
    even = even * w + 2.9543475451974406e-05
    even = even * w + 0.0017569947389551946
    even = even * w + 0.05967964478629619
    even = even * w + 1.1014081059037335
    odd = 1.1021155993567978e-24
    odd = odd * w + 1.2159555852709455e-21
    odd = odd * w + 2.323157965329607e-19
    odd = odd * w + 2.083359576123294e-17
    odd = odd * w + 3.3140869174196083e-15
    odd = odd * w + 8.411873124547206e-13
    odd = odd * w + 1.787004445065967e-10
    odd = odd * w + 2.8430501837335073e-08
    odd = odd * w + 3.218202437210683e-06
    odd = odd * w + 0.00024248664503043546
    odd = odd * w + 0.01107116022763151
    odd = odd * w + 0.2722311099556949
    return even + z * odd


def ei_middle(z):
    # largest weighted error 2^-53.6
    w = z * z
    even = 3.9419446731313525e-12
    even = even * w + 2.961396324512998e-11
    even = even * w + 4.810380067771005e-10
    even = even * w + 5.351959562409431e-09
    even = even * w + 2.5757132599120306e-08
    even = even * w + -5.656566064023859e-07
    even = even * w + -1.4682705286754257e-05
    even = even * w + -0.0001410694338246406
    even = even * w + -0.00034705924179553285
    even = even * w + 0.004016108921825925
    even = even * w + 0.03465723048123686
    even = even * w + 1.152759208708925
    odd = -1.4039829715471369e-11
    odd = odd * w + -1.1478641377542317e-10
    odd = odd * w + -1.6867529307645753e-09
    odd = odd * w + -1.452497494316542e-08
    odd = odd * w + 2.9292166841859292e-08
    odd = odd * w + 3.3900926290846925e-06
    odd = odd * w + 5.080526236853125e-05
    odd = odd * w + 0.0002951229424593689
    odd = odd * w + -0.00044625080100866194
    odd = odd * w + -0.01383318168232948
    odd = odd * w + -0.07402455655713285
    return even + z * odd


def ei_far(z):
    # largest weighted error 2^-55.3
    w = z * z
    even = -5.6213318814499715e-14
    even = even * w + 1.6843559787833077e-13
    even = even * w + 5.111074207158485e-12
    even = even * w + -5.1671641310387445e-11
    even = even * w + 3.4182038167211516e-11
    even = even * w + 3.672184608091783e-09
    even = even * w + -4.963258708093767e-08
    even = even * w + 4.922895037030858e-07
    even = even * w + -5.160182417512072e-06
    even = even * w + 3.961169113214602e-05
    even = even * w + 0.001940304027931494
    even = even * w + 1.0723449766623854
    odd = 2.5763398121028882e-15
    odd = odd * w + 1.6465403010198596e-13
    odd = odd * w + -2.0435810722058023e-12
    odd = odd * w + 1.2045540991627938e-12
    odd = odd * w + 1.5361478984101044e-10
    odd = odd * w + -1.5768782032893003e-09
    odd = odd * w + 7.112359393794885e-09
    odd = odd * w + 4.03644215944387e-09
    odd = odd * w + -2.2547752093647813e-07
    odd = odd * w + -5.37275965946695e-06
    odd = odd * w + 0.0002684049246130365
    odd = odd * w + 0.02839154997859365
    return even + z * odd


def ei_farthest(z):
    # largest weighted error 2^-53.9
    w = z * z
    even = -5.854509083713701e-12
    even = even * w + 9.644877057305252e-14
    even = even * w + 2.1493269278525473e-10
    even = even * w + -9.720275746381396e-10
    even = even * w + 1.0836597419648555e-09
    even = even * w + 2.444438412355665e-09
    even = even * w + 1.3571571823337316e-08
    even = even * w + 2.053124567904179e-07
    even = even * w + 8.21196751005586e-06
    even = even * w + 0.0010637687855463978
    even = even * w + 1.0217607036601566
    odd = -4.3844135183279297e-11
    odd = odd * w + 2.670961677467751e-10
    odd = odd * w + -5.827046157164974e-10
    odd = odd * w + -5.876470396391611e-11
    odd = odd * w + 1.6435432228477206e-09
    odd = odd * w + 5.038500072412249e-09
    odd = odd * w + 4.68444014526164e-08
    odd = odd * w + 1.1430189148369133e-06
    odd = odd * w + 7.863790798371603e-05
    odd = odd * w + 0.02275307202736088
    return even + z * odd


def temme_0(z):
    # Taylor coefficients
    w = z * z
    even = 3.371763262400985e-13
    even = even * w + -5.0276692801141755e-12
    even = even * w + -5.830772132550426e-11
    even = even * w + 9.14769958223679e-10
    even = even * w + 1.0261809784240309e-08
    even = even * w + -1.7665952736826078e-07
    even = even * w + -1.85406221071516e-06
    even = even * w + 3.919263178522438e-05
    even = even * w + 0.0003527336860670194
    even = even * w + -0.014814814814814815
    even = even * w + -0.3333333333333333
    odd = -1.392388722418162e-13
    odd = odd * w + 1.1004392031956135e-13
    odd = odd * w + 2.4361948020667415e-11
    odd = odd * w + -2.5514193994946248e-11
    odd = odd * w + -4.382036018453353e-09
    odd = odd * w + 6.707853543401498e-09
    odd = odd * w + 8.296711340953087e-07
    odd = odd * w + -2.185448510679992e-06
    odd = odd * w + -0.0001787551440329218
    odd = odd * w + 0.0011574074074074073
    odd = odd * w + 0.08333333333333333
    return even + z * odd


def temme_1(z):
    # Taylor coefficients
    w = z * z
    even = -8.56390702649298e-11
    even = even * w + -1.0091543710600413e-09
    even = even * w + 1.1951628599778148e-08
    even = even * w + 1.378633446915721e-07
    even = even * w + -1.6120900894563446e-06
    even = even * w + -1.8098550334489977e-05
    even = even * w + 0.00020576131687242798
    even = even * w + 0.0026455026455026454
    even = even * w + -0.001851851851851852
    odd = 6.067215101604758e-14
    odd = odd * w + 4.162792991842583e-10
    odd = odd * w + -1.7543241719747647e-11
    odd = odd * w + -5.752545603517705e-08
    odd = odd * w + 4.647127802807434e-09
    odd = odd * w + 7.64916091608111e-06
    odd = odd * w + -4.018775720164609e-07
    odd = odd * w + -0.0009902263374485596
    odd = odd * w + -0.003472222222222222
    return even + z * odd


def temme_2(z):
    # Taylor coefficients
    w = z * z
    even = -1.3670488396617114e-09
    even = even * w + -1.409252991086752e-08
    even = even * w + 1.4280614206064242e-07
    even = even * w + 1.3721957309062934e-06
    even = even * w + -1.2760635188618728e-05
    even = even * w + -0.0001073665322636516
    even = even * w + 0.0007716049382716049
    even = even * w + 0.004133597883597883
    odd = 9.428356159014678e-13
    odd = odd * w + 6.228974084922022e-09
    odd = odd * w + -2.0477098421990866e-10
    odd = odd * w + -6.298992138380055e-07
    odd = odd * w + 3.423578734096138e-08
    odd = odd * w + 5.2923448829120125e-05
    odd = odd * w + 2.0093878600823047e-06
    odd = odd * w + -0.0026813271604938273
    return even + z * odd


def temme_3(z):
    # Taylor coefficients
    w = z * z
    even = -1.9111168485973655e-08
    even = even * w + -1.6958404091930278e-07
    even = even * w + 1.4230900732435883e-06
    even = even * w + 1.1082654115347302e-05
    even = even * w + -7.561801671883977e-05
    even = even * w + -0.0004691894943952557
    even = even * w + 0.0006494341563786008
    odd = 2.3928620439808118e-12
    odd = odd * w + 8.099464905388083e-08
    odd = odd * w + -2.7861080291528143e-11
    odd = odd * w + -5.6749528269915965e-06
    odd = odd * w + -2.396505113867297e-07
    odd = odd * w + 0.00026772063206283885
    odd = odd * w + 0.00022947209362139917
    return even + z * odd


def temme_4(z):
    # Taylor coefficients
    w = z * z
    even = -2.292934834000805e-07
    even = even * w + -1.6954149536558305e-06
    even = even * w + 1.1375726970678419e-05
    even = even * w + 6.641498215465122e-05
    even = even * w + -0.0002990724803031902
    even = even * w + -0.0008618882909167117
    odd = 2.956794137544049e-11
    odd = odd * w + 8.907507532205309e-07
    odd = odd * w + 2.507497226237533e-10
    odd = odd * w + -3.968365047179435e-05
    odd = odd * w + -1.4638452578843418e-06
    odd = odd * w + 0.0007840392217200666
    return even + z * odd


def temme_5(z):
    # Taylor coefficients
    w = z * z
    even = -2.291481176508095e-06
    even = even * w + -1.3594048189768693e-05
    even = even * w + 6.797780477937208e-05
    even = even * w + 0.0002772753244959392
    even = even * w + -0.00033679855336635813
    odd = -3.252473551298454e-10
    odd = odd * w + 8.018470256334202e-06
    odd = odd * w + 1.419062920643967e-07
    odd = odd * w + -0.00019932570516188847
    odd = odd * w + -6.972813758365857e-05
    return even + z * odd


def temme_6(z):
    # Taylor coefficients
    w = z * z
    even = -1.8329116582843375e-05
    even = even * w + -8.153969367561969e-05
    even = even * w + 0.0002708782096718045
    even = even * w + 0.0005313079364639922
    odd = -3.0796134506033047e-09
    odd = odd * w + 5.61168275310625e-05
    odd = odd * w + 7.902353232660328e-07
    odd = odd * w + -0.0005921664373536939
    return even + z * odd


def temme_7(z):
    # Taylor coefficients
    w = z * z
    even = -0.00010976582244684731
    even = even * w + -0.00033493161081142234
    even = even * w + 0.00034436760689237765
    odd = -1.2741009095484485e-07
    odd = odd * w + 0.0002812695154763237
    odd = odd * w + 5.171790908260592e-05
    return even + z * odd

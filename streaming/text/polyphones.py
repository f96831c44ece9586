"""Readings that depend on more than the word a character stands in.

Input   a run of Hanzi
Output  readings of single characters, by their place in the run
State   none
The dictionaries read words; the rules here look at neighbours across their borders: 长 is to grow where a
result follows, 行 is a row after a number, a surname stands before a title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TITLES = (
    "先生|女士|小姐|老师|教授|医生|大夫|同学|同志|总(?!是|会|得|要|有|算|之|体|的|在)|经理|主任|局长|处长|校长|老板|师傅|律师|法官|警官|"
    "导演|教练|队长|院长|博士|工程师|大爷|大妈|阿姨|叔叔|哥|姐|某"
)
# Characters that are read otherwise when they are surnames.
_SURNAMES = dict(
    entry.split("=")
    for entry in """
    曾=zeng1 朴=piao2 查=zha1 单=shan4 仇=qiu2 解=xie4 任=ren2 区=ou1 盖=ge3 华=hua4 卜=bu3 宁=ning4
    翟=zhai2 覃=qin2
    燕=yan1 员=yun4 召=shao4 折=she2 洗=xian3 黑=he4 乐=yue4 缪=miao4 过=guo1 葛=ge3 哈=ha3 那=na1
    应=ying1 纪=ji3
    尉=wei4 盛=sheng4 秘=bi4 石=shi2 牟=mou4 车=che1 令=ling2 繁=po2 种=chong2 呙=guo1 隗=wei3 谌=chen2
    """.split()
)
_NUMERALS = "一二两三四五六七八九十百千几每数这那某多"

# Character -> rules: what must stand around it, and its reading then. The first that fits wins. Where more
# than the character has to be matched, it is the group `c`.
_RULES_TEXT = {
    "长": (
        (r"长(?=[高大出得满胖成肉毛牙草痘胡势相])", "zhang3"),
        (
            r"(?<=[部市校班州县省处科局院会社村乡镇组队团连营排师船机园店厂首酋家议区站司舰])"
            r"长(?![期久度短远处途长城江春安沙])",
            "zhang3",
        ),
    ),
    "行": (
        (rf"(?<=[{_NUMERALS}])行(?![人动走为程驶星进李使李军])", "hang2"),
        (r"(?<=[隔换首末逐整各本同外内改])行(?![走动驶为程])", "hang2"),
    ),
    "着": (
        (r"(?<=穿)着(?=[讲打得朴时整随华简体])", "zhuo2"),
        (r"(?<=[睡猜])着(?=[了没吗]|$)|(?<=[睡摸猜够]不)着|(?<=找)着(?=了)", "zhao2"),
    ),
    "了": ((r"(?<=明)了(?=[易于])", "liao3"), (r"(?<=[不得])了(?=[了吗呢啊的吧]|$)(?<!除不了)", "liao3"),),
    "将": ((r"(?<=[老大主名干武猛虎败强的])将(?=[军士领$]|$)", "jiang4"),),
    "幢": ((rf"(?<=[{_NUMERALS}])幢|^幢", "zhuang4"),),
    "只": ((rf"(?<=[{_NUMERALS}半])只(?![有是能要会好得可怕不剩需])", "zhi1"),),
    "种": (
        (rf"(?<=[{_NUMERALS}各种此何])种", "zhong3"),
        (r"(?<=[里上户民])种(?![子类族种])", "zhong4"),
        (r"种(?=[植地田菜花树草瓜豆庄稻麦粮痘下上了着])", "zhong4"),
    ),
    "倒": (
        (r"(?<=[摔跌滑绊推打晕病卧撞踢压放]|吹|醉)倒", "dao3"),
        (r"倒(?=[水茶酒车退掉出数挂流立贴垃影像带计])", "dao4"),
        (r"倒(?=[下塌闭霉台班卖手地在了])", "dao3"),
    ),
    "卡": ((r"卡(?=[住壳脖在了])", "qia3"),),
    "落": (
        (r"把[^把]{1,6}(?P<c>落)(?=[在下])", "la4"),
        (r"(?<=[把东西书包伞])落(?=[在下了])|(?<=丢三)落", "la4"),
    ),
    "系": ((r"系(?=[鞋好上着紧安扣带领围红])(?!统)", "ji4"),),
    "和": ((r"和(?=面(?![前对子积]))", "huo2"), (r"(?<=麻将)和|和(?=牌)", "hu2")),
    "号": ((r"号(?=[叫哭啕])", "hao2"),),
    "冲": ((r"冲(?=[着我他她你])(?!.{0,2}过来)", "chong4"),),
    "扇": ((r"扇(?=[风耳动了着])", "shan1"),),
    "盛": ((r"盛(?=[饭汤菜水满一了])", "cheng2"),),
    "划": ((r"划(?=[船桨水拳得不算伤破])", "hua2"),),
    "露": ((r"露(?=[马脸面出怯一两馅底富](?!水))", "lou4"),),
    "背": ((r"背(?=[着包起书上孩了](?!景))(?<![后靠脊])", "bei1"),),
    "薄": ((r"(?<=[很太真太好又更不最])薄(?![弱荷情])|薄(?=[了的饼片被])", "bao2"),),
    "空": ((r"(?<=[有没抽得])空(?![气间中调白军难虚])", "kong4"),),
    "假": ((r"(?<=[请放休度病事产婚年暑寒长小春销天日])假(?![的如装设若定扮冒])", "jia4"),),
    "发": ((r"(?<=[头白毛黑短长卷金假美理剪染烫护洗秀怒])发(?![现展生布出明送表达言动起])", "fa4"),),
    "干": (
        (r"(?<=[服发巾水嘴河漆土汗泪叶皮肤])干(?=[了透枯裂]|$)", "gan1"),
        (r"干(?=[活什吗嘛完掉得过事了])(?<![饼树能])", "gan4"),
        (r"(?<=[晾晒吹擦烘风不没])干", "gan1"),
    ),
    "调": ((r"(?<=[被抽])调(?=[走到去往])|调(?=[走离动任令])", "diao4"),),
    "当": ((r"(?<=[上])当(?=[受了吗]|$)|(?<=[典押])当", "dang4"),),
    "教": ((r"教(?=[我你他她书会过孩了给人们唱画])(?!育|师|授|室|材|练)", "jiao1"),),
    "看": ((r"看(?=[守护管押家门])(?!门道|家具)", "kan1"),),
    "数": ((r"数(?=[一数数钱羊星了不着](?!学))(?<![岁次人分个总多少无第基])", "shu3"),),
    "量": ((r"量(?=[体身一了血尺腰衣])(?<![数质力重音剂流销产大能热商])", "liang2"),),
    "扎": ((r"(?<=[包捆])扎", "za1"),),
    "处": ((r"处(?=[理于境罚置分方女世暑决])", "chu3"),),
    "朝": ((r"朝(?=[着前后左右东西南北我他她你上下外里天](?!气))", "chao2"),),
    "重": ((r"重(?=[新复来做说写建启叠逢播试置组返现温申拾])", "chong2"),),
    "转": (
        (r"[绕围][着了]?[^转]{1,6}(?P<c>转)(?![身账换变发让移])", "zhuan4"),
        (r"(?<=[自公旋打])转(?![身账换变发让移])|转(?=[圈悠])", "zhuan4"),
    ),
    "更": ((r"(?<=[三五半打])更(?=[半天]|$)", "geng1"),),
    "差": ((r"(?<=[时温误色落偏反逆顺价])差|差(?=[别异距额错])", "cha1"), (r"(?<=[出公])差", "chai1")),
    "中": ((r"中(?=[奖毒弹枪暑风标选签计靶招])|(?<=[看猜击射命打相考押])中(?![国间])", "zhong4"),),
    "都": ((r"都(?=市(?:[的里中区圈人生丽农剧化]|$))", "du1"),),
    "的": ((r"(?<=打)的(?=[去到回来过]|$)", "di1"),),
    "切": ((r"切(?=[菜肉开成断片丝块割除葱姜蒜土水西蛋面])", "qie1"),),
    "削": ((r"削(?=[皮苹铅梨果水掉好个一完])", "xiao1"),),
    "为": ((r"(?<=[选成作视称评改变化列定设名认以分译升命誉奉沦])为(?![什了此何])", "wei2"),),
    "弹": ((r"弹(?=[得琴奏唱钢吉起了一])", "tan2"),),
    "吐": ((r"(?<=[想要呕上])吐(?![痰字露槽丝舌司])", "tu4"),),
    "脏": ((r"(?<=[太很真好最更弄变又])脏|脏(?=[了的东衣兮乱话水手])", "zang1"),),
    "撒": ((r"撒(?=[种盐胡粉了](?!谎))", "sa3"),),
    "还": (
        (r"(?<=[得要该没快])还$", "huan2"),
        (r"还(?=房贷|车贷|贷款|信用卡|本金|利息)", "huan2"),
        (r"还(?=[给清债款钱书贷账了](?!有|是))(?<![归偿])|(?<=[归偿退])还", "huan2"),
    ),
    "得": (
        (r"(?<=[我你您他她们咱也都就还总必])得(?=[走去小好赶快先多要看想等做说把让给回自])", "dei3"),
    ),
    "似": ((r"似(?=的)", "shi4"),),
}  # fmt: skip
_RULES = {
    char: tuple((re.compile(pattern), pinyin) for pattern, pinyin in rules)
    for char, rules in _RULES_TEXT.items()
}
_SURNAME_CHARS = "".join(_SURNAMES)
_SURNAME = re.compile(
    rf"(?<=姓)[{_SURNAME_CHARS}](?![名氏])|(?:^|(?<=[老小是叫找请和跟给问的，]))[{_SURNAME_CHARS}](?={_TITLES})"
)


def readings_in_context(run: str) -> Iterator[tuple[int, str]]:
    """Yield places in the run with the reading that the neighbours ask for; later ones win."""
    for char in dict.fromkeys(run):
        for pattern, pinyin in reversed(_RULES.get(char, ())):
            for match in pattern.finditer(run):
                yield match.start("c" if "c" in pattern.groupindex else 0), pinyin
    for match in _SURNAME.finditer(run):
        yield match.start(), _SURNAMES[match[0]]

"""How numbers are read in Chinese where the general rules read them wrongly.

Input   AlignedText, cleaned, digits still in it
Output  the same with these numbers in Hanzi; what no rule here asks for is left
State   none
Unaware of words, pronunciation and of what reads the rest. The rules are tried in order, each on what those
before it left. A rule replaces its group `n`, or all that it matches.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from streaming.text.aligned import AlignedText

DIGIT_NAMES = dict(zip("0123456789", "零一二三四五六七八九", strict=True))
PHONE_DIGIT_NAMES = {**DIGIT_NAMES, "1": "幺"}
_SCALES = ((100_000_000, "亿"), (10_000, "万"))
_PLACES = ("千", "百", "十", "")
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_MAX_CARDINAL_DIGITS = 16

Replacement = Callable[[re.Match[str]], str]


def cardinal(digits: str) -> str:
    """Read a whole number: 10 十, 200 二百, 1005 一千零五; digit by digit beyond sixteen digits."""
    value = int(digits)
    if len(str(value)) > _MAX_CARDINAL_DIGITS:
        return spell(digits)
    if value == 0:
        return "零"
    text = _below(value)
    return text.removeprefix("一") if text.startswith("一十") else text


def _below(value: int) -> str:
    for scale, name in _SCALES:
        if value >= scale:
            high, low = divmod(value, scale)
            gap = "零" if low and low < scale // 10 else ""
            return f"{_below(high)}{name}{gap}{_below(low) if low else ''}"
    text, gap = "", ""
    for digit, place in zip(f"{value:04d}", _PLACES, strict=True):
        if digit == "0":
            gap = "零" if text else ""
        else:
            text, gap = f"{text}{gap}{DIGIT_NAMES[digit]}{place}", ""
    return text


def decimal(text: str) -> str:
    """Read a number with a sign or decimals: -3.05 负三点零五, .5 零点五."""
    sign = "负" if text[0] in "-−" else ""
    whole, _, decimals = text.lstrip("-−+").partition(".")
    return sign + cardinal(whole or "0") + (f"点{spell(decimals)}" if decimals else "")


def spell(text: str, names: dict[str, str] = DIGIT_NAMES) -> str:
    """Read digit by digit, a dot as 点; what is neither is left out if it is a hyphen or white space."""
    return "".join(names.get(char, "点" if char == "." else "" if char in "- " else char) for char in text)


def phone(text: str) -> str:
    """Read digit by digit with 幺 for 1, as telephone and identity numbers are."""
    return spell(text, PHONE_DIGIT_NAMES)


def roman(numeral: str) -> int:
    """Return the value of a Roman numeral; 0 if it is none as one would write it."""
    values = [_ROMAN[char] for char in numeral]
    total = sum(
        -value if index + 1 < len(values) and value < values[index + 1] else value
        for index, value in enumerate(values)
    )
    return total if _roman_of(total) == numeral else 0


def _roman_of(value: int) -> str:
    text = ""
    for amount, letters in (
        (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
    ):  # fmt: skip
        while value >= amount:
            text, value = text + letters, value - amount
    return text


def _year(digits: str) -> str:
    return (
        spell(digits)
        if len(digits) == 4 or (len(digits) == 2 and digits[0] in "0456789")
        else cardinal(digits)
    )


def _date(match: re.Match[str]) -> str:
    year, month, day = match["y"], int(match["m"]), int(match["d"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return f"{spell(year)}年{cardinal(str(month))}月{cardinal(str(day))}日"


def _month_day(match: re.Match[str]) -> str:
    return f"{cardinal(match[1])}月{cardinal(match[2])}{match[3]}"


def _hour(digits: str) -> str:
    return "两" if int(digits) == 2 else cardinal(digits)


def _minute(digits: str) -> str:
    value = int(digits)
    return f"零{cardinal(digits)}" if value < 10 and len(digits) == 2 else cardinal(digits)


def _clock(match: re.Match[str]) -> str:
    """14:30 is a time, 3:2 and 16:9 are proportions."""
    hour, minute, second = match[1], match[2], match[3]
    if int(hour) > 24 or int(minute) > 59 or len(minute) != 2:
        return match[0]
    text = f"{_hour(hour)}点"
    if second:
        return f"{text}{_minute(minute)}分{_minute(second)}秒"
    return text if minute == "00" else f"{text}{_minute(minute)}分"


def _proportion(match: re.Match[str]) -> str:
    return f"{cardinal(match['a'])}比{cardinal(match['b'])}"


def _spoken_clock(match: re.Match[str]) -> str:
    return f"{_hour(match[1])}点{_minute(match[2])}{match[3]}"


def _fraction(match: re.Match[str]) -> str:
    top, bottom = match[1], match[2]
    if int(bottom) == 0 or (top, bottom) == ("24", "7"):
        return match[0]
    return f"{cardinal(bottom)}分之{cardinal(top)}"


def _percent(match: re.Match[str]) -> str:
    return {"%": "百分之", "‰": "千分之"}[match[2]] + decimal(match[1])


def _percent_range(match: re.Match[str]) -> str:
    name = {"%": "百分之", "‰": "千分之"}[match[3]]
    return f"{name}{decimal(match[1])}到{name}{decimal(match[2])}"


def _large(match: re.Match[str]) -> str:
    """Nine digits and more are an amount if they are round or something is counted; else they are a code."""
    digits, counted = match[1], match[2]
    if counted or (digits.endswith("0000") and digits[0] != "0"):
        return cardinal(digits) + (counted or "")
    return phone(digits)


def _rising(match: re.Match[str]) -> str:
    """3-5次 is a range if it rises; else it may be a subtraction or a score."""
    low, high = match[1], match[2]
    return f"{low}到{high}" if float(low) < float(high) else match[0]


def _roman_number(match: re.Match[str]) -> str:
    value = roman(match["n"])
    return cardinal(str(value)) if value else match["n"]


def _places(match: re.Match[str]) -> str:
    """第10-12页 is from the tenth to the twelfth; 第3-1号楼 is an address."""
    low, high = match["a"], match["b"]
    return (
        f"{cardinal(low)}到{cardinal(high)}" if int(low) < int(high) else f"{cardinal(low)}杠{cardinal(high)}"
    )


def _money(match: re.Match[str]) -> str:
    """The sign stands before the number, its name after number and scale: $3万亿."""
    amount, scale, rate = match["amount"], match["scale"] or "", match["rate"]
    spoken = "两" if amount == "2" else decimal(amount)
    return f"{spoken}{scale}{_CURRENCIES[match['sign']]}" + (f"每{rate}" if rate else "")


def _power(match: re.Match[str]) -> str:
    return f"{match[1]}的{decimal(match[2])}次方"


_MEASURES = "个天次岁年月日名人位块元斤米度倍小分秒点页章期届场周种件条只家辆万亿千百"
_COUNTED = "个次点年天倍本张把件种条位名只家层分秒斤米吨元块岁份场届杯瓶碗盒台辆套段组双对小"
_CURRENCIES = {"$": "美元", "€": "欧元", "£": "英镑", "¥": "元", "￥": "元"}
# In names: 最终幻想VII. X, XL and VI are more often something else.
_ROMAN_IN_NAMES = "(?:X?(?:I{2,3}|IV|VI{2,3}|IX)|X[IV])"
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤川青藏琼宁"
_UNIT_NAMES = {
    "GHz": "吉赫兹", "MHz": "兆赫兹", "kHz": "千赫兹", "KHz": "千赫兹", "Hz": "赫兹", "ms": "毫秒",
    "min": "分钟", "mins": "分钟", "h": "小时", "kWh": "千瓦时", "kW": "千瓦", "W": "瓦", "V": "伏",
    "mAh": "毫安时", "μs": "微秒",
    "dB": "分贝", "hPa": "百帕", "kPa": "千帕", "Mbps": "兆比特每秒", "Gbps": "吉比特每秒", "fps": "帧每秒",
    "rpm": "转每分", "nm": "纳米", "μm": "微米", "m/s": "米每秒",
}  # fmt: skip
_UNITS = "|".join(sorted(map(re.escape, _UNIT_NAMES), key=len, reverse=True))

RULES: tuple[tuple[re.Pattern[str], Replacement | str], ...] = (
    # Telephone, identity and other numbers that are said digit by digit.
    (
        re.compile(r"(?<!\d)(?:(\+?86)[ -]?)?(1[3-9]\d)[ -]?(\d{4})[ -]?(\d{4})(?!\d)"),
        lambda m: ("加八六" if m[1] else "") + phone(m[2] + m[3] + m[4]),
    ),
    (re.compile(r"(?<![\d\-])\(?(0\d{2,3})(?:-|\) ?)(\d{7,8})(?!\d)"), lambda m: phone(m[1] + m[2])),
    (re.compile(r"(?<![\d+])\+(\d{1,3}(?:[- ]\d{2,5}){2,4})(?![\d-])"), lambda m: "加" + phone(m[1])),
    (
        re.compile(r"(?<![\d\-])([48]00)-?(?!0{3}-?0{4})(\d{3})-?(\d{4})(?!\d)"),
        lambda m: phone(m[1] + m[2] + m[3]),
    ),
    (re.compile(r"(?<!\d)(\d{17})([\dXx])(?![\dA-Za-z])"), lambda m: phone(m[1] + m[2].upper())),
    (
        re.compile(
            r"(?:拨打|致电|呼叫|电话|热线|客服|短信|报警|拨)[是为：: ]{0,2}"
            r"(?P<n>\d{3,8})(?![\d.%:]|[个次元人天分年])"
        ),
        lambda m: phone(m["n"]),
    ),
    (
        re.compile(
            r"(?:邮编|密码|卡号|账号|帐号|编号|尾号|学号|工号|单号|证码|QQ号?|证号|证件号|取件码)"
            r"[是为：: ]{0,2}(?P<n>\d+(?:-\d+)+|\d{3,})(?![\d-])"
        ),
        lambda m: phone(m["n"]),
    ),
    (
        re.compile(r"(?:房间号|房间|包厢|寝室)[是为：: ]{0,2}(?P<n>\d{3,4})(?![\d个])"),
        lambda m: spell(m["n"]),
    ),
    (re.compile(r"(?<![\d.])(\d{3,4})(?=室|号房|房间|教室)"), lambda m: spell(m[1])),
    (
        re.compile(rf"[{_PROVINCES}][A-Z](?P<n>[·\-]?(?=[A-Z\d]{{5,6}}(?![A-Za-z\d]))[A-Z\d]*\d[A-Z\d]*)"),
        lambda m: spell(m["n"].lstrip("·")),
    ),
    (re.compile(r"(?<![\d.])(\d{3})(?=国道|省道|县道|路(?:公交|电车|巴士|车))"), lambda m: spell(m[1])),
    (
        re.compile(r"(?<!\d)(?:(?:985|211)(?=高校|大学|院校|工程|名校)|996(?=工作|加班|福报))"),
        lambda m: phone(m[0]),
    ),
    # Dates and times.
    (re.compile(r"(?<![\d.])((?:19|20)\d\d)(?=[QH][1-4](?!\d))"), lambda m: spell(m[1])),
    (re.compile(r"(?<!\d)([0-9]0)(?=、[0-9]0后)"), lambda m: spell(m[1])),
    (re.compile(r"(?<![\d/])24/7(?![\d/])(?:小时)?"), "七乘二十四小时"),
    (
        re.compile(r"(?<![\d.])(?P<y>(?:1[5-9]|20)\d\d)([-/.])(?P<m>\d{1,2})\2(?P<d>\d{1,2})(?![\d.]|日)"),
        _date,
    ),
    (
        re.compile(r"(?<![\d.])(\d{4})[-~～—–至到](\d{4})(?=年)"),
        lambda m: f"{spell(m[1])}到{spell(m[2])}" if m[1] < m[2] else m[0],
    ),
    (re.compile(r"(?<!\d)(\d{1,2})月(\d{1,2})([日号])"), _month_day),
    (re.compile(r"(?<![\d个])(\d{1,2})(?=[日号](?![楼线院机店门码]))"), lambda m: cardinal(m[1])),
    (re.compile(r"(?<![\d.])(\d{2})(?=年代)"), lambda m: cardinal(m[1])),
    (re.compile(r"(?<!\d)([0-9]0|[0-9]5)后(?![来天面退])"), lambda m: f"{spell(m[1])}后"),
    (
        re.compile(r"(?<![\d.])(\d{2}|\d{4})(?=(?:学)?年(?:[初末底春夏秋冬]|\d|[一二三四五六七八九十]))"),
        lambda m: _year(m[1]),
    ),
    (
        re.compile(r"(?<![\d.:])(\d{1,2}:\d{2}(?::\d{2})?)\s*[-~～—–]\s*(?=\d{1,2}:\d{2})"),
        lambda m: f"{m[1]}到",
    ),
    (
        re.compile(r"(?:比分|比数|总分)[是为：: ]{0,2}(?P<n>(?P<a>\d{1,3})[:：\-](?P<b>\d{1,3}))(?!\d)"),
        _proportion,
    ),
    (
        re.compile(r"以(?P<n>(?P<a>\d{1,3})[:：\-](?P<b>\d{1,3}))(?=[的战击取胜领落逆负输险淘绝完大小])"),
        _proportion,
    ),
    (
        re.compile(
            r"(?<![\d.\-])(?P<a>\d{1,3})-(?P<b>\d{1,3})(?=完胜|战胜|击败|取胜|大胜|险胜|获胜|领先|落后|逆转|战平|惨败)"
        ),
        _proportion,
    ),
    (re.compile(r"(?<![\d.:])(\d{1,2}):(\d{2})(?::(\d{2}))?(?![\d:])"), _clock),
    (re.compile(r"(?<![\d.:])(?P<a>\d{1,4}):(?P<b>\d{1,4})(?![\d:])"), _proportion),
    (re.compile(r"(?<![\d.])(\d{1,2})点(\d{1,2})(分(?!之))"), _spoken_clock),
    # Order.
    (re.compile(r"第(?P<n>[IVXLC]+)(?![A-Za-z])"), _roman_number),
    (re.compile(rf"(?<=[一-鿿])(?P<n>{_ROMAN_IN_NAMES})(?![A-Za-z\d.])"), _roman_number),
    (re.compile(rf"(?<![A-Za-z\d])(?P<n>I|V|VI|{_ROMAN_IN_NAMES})(?=[型期级类度代世])"), _roman_number),
    (
        re.compile(r"第(?P<n>(?P<a>\d{1,6}) ?[-~～—–] ?第?(?P<b>\d{1,6}))(?![\d.\-])"),
        _places,
    ),
    (re.compile(r"第(?P<n>\d+)(?![\d.])"), lambda m: cardinal(m["n"])),
    (re.compile(r"(?<![A-Za-z])[Nn][Oo]\. ?(\d+)(?![\d.])"), lambda m: f"第{cardinal(m[1])}"),
    (re.compile(r"(?<![\d.])(2)(?=号|楼|单元|室|路|班|级|年级|线|栋|月(?!饼))"), lambda m: "二"),
    (re.compile(r"(?:波音|空客|宝马|奔驰|标致)(?P<n>[1-9]\d{2})(?![\d.%万亿元个])"), lambda m: spell(m["n"])),
    # Amounts.
    (re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])"), lambda m: m[0].replace(",", "")),
    (
        re.compile(
            r"(?P<sign>[$€£¥￥]) ?(?P<amount>\d+(?:\.\d+)?)(?![\d.,])"
            r"(?:(?P<scale>[十百千]?万亿?|亿)|(?=/))(?:/(?P<rate>[年月日天周人个次晚份]))?"
        ),
        _money,
    ),
    (re.compile(r"(?<![A-Za-z\d&])#(\d{1,5})(?![\dA-Fa-f]|[^\s#，。]*#)"), lambda m: f"{cardinal(m[1])}号"),
    (re.compile(rf"(?<![\d.,A-Za-z])(\d{{9,}})(?![\d.,%])([{_MEASURES}])?"), _large),
    (
        re.compile(r"(?<![\d.\-/])(-?\d+(?:\.\d+)?)%?\s*[-~～—–到至]\s*(-?\d+(?:\.\d+)?)([%‰])"),
        _percent_range,
    ),
    (re.compile(r"([-−]?\d+(?:\.\d+)?) ?([%‰])"), _percent),
    (
        re.compile(
            rf"(?<![\d.\-/:A-Za-z])(\d{{1,4}}(?:\.\d+)?)[-~～—–](\d{{1,4}}(?:\.\d+)?)"
            rf"(?=[%{_MEASURES}款套颗台层亩吨克升遍句段组对双级]|\s?[A-Za-z℃°])"
        ),
        _rising,
    ),
    (re.compile(r"(?<![\d/.])(\d{1,3})/(\d{1,3})(?![\d/.])"), _fraction),
    (
        re.compile(rf"(?<![\d.\-:/A-Za-z第])2(?=[{_COUNTED}])(?!点\d|年级)"),
        "两",
    ),
    (re.compile(r"(?<![\d.\w])\.(\d+)(?![\d.])"), lambda m: f"零点{spell(m[1])}"),
    (re.compile(r"([A-Za-z\d]+)\^([-−]?\d+)(?![\d.])"), _power),
    (
        re.compile(r"(?<![\d.A-Za-z])(\d{1,6}(?:\.\d+)?) ?[×*] ?(?=\d)(\d{1,6}(?:\.\d+)?)(?![\d.])"),
        lambda m: f"{decimal(m[1])}乘{decimal(m[2])}",
    ),
    (re.compile(r"(?<=[A-Za-z²³)）]) ?\+ ?(?=\d)"), "加"),
    (re.compile(r"(?<=[²³]) ?[-−] ?(?=[\dA-Za-z])"), "减"),
    (
        re.compile(r"(?<![\d.])(\d+(?:\.\d+)?) ?([KMGT]i?B)/s(?![A-Za-z])"),
        lambda m: f"每秒{decimal(m[1])}{m[2]}",
    ),
    (re.compile(r"(?<![\d.])(\d{2,})(?=\.(?:com|cn|net|org)\b)"), lambda m: spell(m[1])),
    (re.compile(r"√ ?(?=[\dA-Za-z])"), "根号"),
    (re.compile(r" ?÷ ?"), "除以"),
    (re.compile(r"(?<![A-Za-z\d])[<＜] ?(?=\d)"), "小于"),
    (re.compile(r"(?<![A-Za-z\d\-=])[>＞] ?(?=\d)"), "大于"),
    (re.compile(rf"(?<=[\d万亿]) ?({_UNITS})(?![A-Za-z\d/])"), lambda m: _UNIT_NAMES[m[1]]),
    (re.compile(r"(?<=\d)(万|亿)?元/([年月日天周人个次])"), lambda m: f"{m[1] or ''}元每{m[2]}"),
    (re.compile(r"(?<=\d) ?g(?=$|[，。！？；、,;)）]|[一-鿿](?<![网手信内显运流基套芯]))"), "克"),
    # Versions and models.
    (re.compile(r"(?<![A-Za-z])[A-Z](?P<n>\.\d{2,4})(?![\d.])"), lambda m: spell(m["n"])),
    (re.compile(r"[A-Za-z][- ]?\d+(?:\.\d+)?(?P<n>-)(?=\d+(?:\.\d+)?[A-Za-z])"), " "),
    (
        re.compile(r"(?<![\d.])(?!(?:19|20)\d\d\.\d{1,2}\.\d{1,2}(?![\d.]))\d+(?:\.\d+){2,}(?![\d.]*\d)"),
        lambda m: spell(m[0]),
    ),
    (re.compile(r"(?<=[Vv])(\d+)\.(\d+)(?![\d.]*\d)"), lambda m: spell(m[0])),
    (re.compile(r"(?<=[A-Za-z])-(?=\d)|(?<=\d)-(?=[A-Za-z])"), " "),
    (re.compile(r"(?<=[A-Za-z])(?!\d*00(?!\d))\d{3,}(?![\d.])"), lambda m: spell(m[0])),
    (
        re.compile(
            r"(?<![A-Za-z])(?!RMB|USD|CNY|EUR|HKD|GBP|JPY|AD|BC)[A-Z]{2,} "
            r"(?P<n>(?!\d*00(?!\d))\d{4})(?![\d.])"
        ),
        lambda m: spell(m["n"]),
    ),
)


def read_numbers(text: AlignedText) -> AlignedText:
    """Apply the rules."""
    for pattern, replacement in RULES:
        text = text.sub(pattern, replacement, "n" if "n" in pattern.groupindex else 0)
    return text

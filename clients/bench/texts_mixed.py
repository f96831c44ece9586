"""Built-in texts in Mandarin with English in them. Slots are filled by `clients.bench.slots`.

Each first clause, the rest of its sentence, and each further sentence has a slot, so that no piece
that a server may keep comes back.
"""

from __future__ import annotations

TEXTS_MIXED = (
    "请打开 {app} 这个 app，然后输入验证码{编号}。",
    "{人}推荐的 {app} 很好用，下载只要{价格}。要不要我帮{人} install？",
    "您的 Wi-Fi 密码是{编号}，路由器在{地址}。",
    "今天的 podcast 是 {title}，主持人是{人}。时长大约到{时间}。",
    "{人}发来一封 email，主题是 {title}。他希望你在{时间}之前 reply。",
    "那台{物品}支持 Bluetooth，可以和 {app} 一起用。",
    "Meeting 改到{时间}了，地点在{地址}。请{人}准备好 slides。",
    "这首歌叫 {title}，歌手是 {person}。要加到{人}的 playlist 吗？",
    "Hello {person}，您在{时间}预订的房间已经确认。酒店在{地址}。",
    "航班{编号} {route} 的 boarding time 是{时间}。登机口请问{人}。",
    "您的 package {编号}已经到了{地址}。签收人写的是 {person}。",
    "{人}的 PPT 一共用了{数量}的数据，图表来自 {app}。",
    "下载 {title} 的 PDF 需要{价格}，您有一张 coupon 编号{编号}。",
    "CEO {person} 在{时间}发表讲话，会后送出{数量}。",
    "这个 {item} 翻译成中文就是{物品}，价格是 {price}。",
    "我把{书名}的英文版 {title} 放进购物车了。一共是{价格}。",
    "{人}，你的 KPI 完成得不错，上个月卖了{数量}。奖金是{价格}。",
    "请用 {app} 扫描编号{编号}的 QR code，再联系{人}。",
    "HR 的{人}说，新同事 {person} 在{时间}入职。工位是{编号}。",
    "GPS 显示您在{地址}附近，离 {address} 还有三公里。",
    "{app} 刚刚更新到新版本，更新日志是{人}写的。请在{时间}之后重启。",
    "Order {编号}的 {item} 已经发货，收货人是{人}。",
    "你想看{书名}还是 {title}？前者的导演是{人}。",
    "USB 接口坏了的那台{物品}，请寄到{地址}。运费{价格}由我们承担。",
    "{人}的 English name 是 {person}，分机号是{编号}，别记错了。",
    "VIP 客户{人}订了{数量}，备注写的是 {item}。",
    "今天的 menu 有{菜}，还有一道 chef {person} 的拿手菜。人均{价格}。",
    "OK，已经为{人}打开 {app}。音量调到和{时间}一样。",
    "Check-in 时间是{时间}，请带好{人}的护照。行李牌号是{编号}。",
    "论文 {title} 的作者是 {person}，中文译者是{人}。",
    "DVD 版的{书名}卖{价格}，online 版可以用 {app} 看。",
    "{人}问 {app} 能不能导出 Excel，答案在第{编号}页。",
    "你好 {person}，您的 credit card 消费了{价格}。交易号是{编号}。",
    "直播 {title} 会在{时间}开始，嘉宾有{人}和 {person}。",
    "AI 助手{编号}提醒您，{路线}的 e-ticket 已经出票。",
    "项目 {title} 的 deadline 是{时间}，负责人是{人}。",
    "{人}买的 {item} 到货了，请去{地址} pick up。",
    "Bug {编号}已经修好，测试的人是 {person}。请{人}在{时间}上线。",
    "如果 {app} 打不开，就换成 {app}。再不行请找{人}。",
    "Happy birthday {person}！{人}送了你一个{物品}，还有{数量}。",
    "SIM 卡{编号}余额是{价格}，请在{时间}之前充值。",
    "{人}在 {address} 开了一家 coffee shop，招牌是{菜}。",
)

"""The words that slots are filled with. Data only; how many there are makes the number of variants."""

from __future__ import annotations

# Chinese
SURNAMES = tuple("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕")
GIVEN_FIRST = tuple("志建晓文丽国海春秋小思嘉明永天雨雪若子俊佳云美玉金一大家立新")
GIVEN_LAST = tuple("明华强军伟芳敏静丽娜杰涛超平刚英玲红梅兰燕霞辉鹏飞龙宁琳洁欣")
DAY_PARTS = tuple("上午 下午 中午 晚上 傍晚 清晨".split())
HOURS = tuple("1 2 3 4 5 6 7 8 9 10 11 12".split())
MEASURES = tuple(
    "本书 张票 把椅子 台电脑 箱苹果 瓶牛奶 条毛巾 件衬衫 双袜子 盒月饼 支铅笔 袋大米 斤土豆 块手表 "
    "顶帽子 盏台灯 辆单车 间客房 份报告 朵玫瑰".split()
)
STREET_NAMES = tuple(
    "人民 中山 解放 和平 建设 长江 黄河 南京 北京 西湖 东湖 花园 文化 学院 科技 体育 青年 新华 光明 "
    "幸福 朝阳 滨江 临港 湖滨 松山 竹林 桂花 梅园 枫林 翠屏 银杏 白云 红旗 胜利 友谊 团结 复兴 迎宾 "
    "工业 环城".split()
)
STREET_KINDS = ("路", "街", "大道", "巷")
CITIES = tuple(
    "北京 上海 广州 深圳 杭州 南京 苏州 成都 重庆 武汉 西安 天津 长沙 郑州 青岛 大连 厦门 昆明 沈阳 "
    "合肥 济南 福州 南昌 贵阳 南宁 兰州 太原 银川 西宁 海口 无锡 宁波 温州 佛山 东莞 珠海 烟台 洛阳 "
    "徐州 常州".split()
)
TOWNS = tuple(
    "桂林 丽江 敦煌 黄山 泰安 承德 延安 绍兴 扬州 泉州 漳州 三亚 大理 乐山 宜昌 岳阳 衡阳 株洲 赣州 "
    "九江 芜湖 蚌埠 开封 安阳 大同 包头 赤峰 锦州 丹东 吉林 牡丹江 齐齐哈尔 秦皇岛 威海 日照 临沂 湖州 "
    "嘉兴 金华 台州".split()
)
RIDES = tuple("高铁 航班 长途汽车 火车 夜班车 顺风车 旅游专线 货运班列".split())
COLOURS = tuple(
    "红色 蓝色 绿色 白色 黑色 灰色 紫色 粉色 橙色 棕色 米色 银色 金色 天蓝色 墨绿色 浅黄色 深红色 "
    "乳白色 咖啡色 草绿色".split()
)
QUALITIES = tuple(
    "轻便 结实 柔软 厚实 小巧 宽大 防水 保暖 透气 耐磨 手工 智能 折叠 便携 复古 时尚 简约 舒适 环保 "
    "静音 加厚 修身 可爱 经典 运动".split()
)
THINGS = tuple(
    "背包 外套 水杯 雨伞 耳机 台灯 地毯 枕头 窗帘 书架 围巾 手套 拖鞋 帐篷 行李箱 自行车 咖啡机 电饭煲 "
    "扫地机 显示器 键盘 沙发 茶几 吉他 相机 望远镜 滑板 睡袋 保温壶 收音机".split()
)
TITLE_FIRST = tuple(
    "遥远 沉默 温柔 古老 金色 夏天 冬夜 清晨 迷雾 星空 海边 山谷 雨后 黄昏 北方 南方 无声 漫长 孤独 "
    "明亮 蓝色 旧日 未来 透明 永恒".split()
)
TITLE_MIDDLE = tuple(
    "小镇 森林 河流 城堡 花园 车站 岛屿 街道 学校 书店 灯塔 草原 沙漠 湖畔 屋顶 教室 工厂 剧院 码头 "
    "邮局".split()
)
TITLE_LAST = tuple(
    "秘密 故事 来信 歌声 眼睛 影子 钥匙 记忆 旅人 孩子 医生 画家 邻居 风筝 钟声 早餐 地图 约定 告别 "
    "重逢 时光 晚餐 手艺 猫 奇迹".split()
)
LETTERS = tuple("ABCDEFGHJKLMNPQRSTUVWXYZ")
SKIES = tuple("多云转晴 阴有小雨 晴间多云 雷阵雨 大风降温 小雪转阴 晴朗无云 薄雾".split())
TASTES = tuple(
    "清蒸 红烧 香煎 麻辣 糖醋 蒜蓉 葱油 干煸 酱爆 椒盐 酸辣 水煮 油焖 白灼 孜然 黑椒 番茄 咖喱 豆豉 "
    "剁椒 香辣 卤制 炭烤 滑炒 凉拌".split()
)
DISHES = tuple(
    "鲈鱼 排骨 牛肉 鸡翅 豆腐 茄子 土豆 虾仁 羊肉 鸭腿 扇贝 鱿鱼 花菜 莲藕 蘑菇 海带 里脊 肥肠 秋葵 "
    "西兰花 四季豆 鸡丁 螃蟹 带鱼 腊肉".split()
)
SIDES = tuple(
    "米饭 面条 馒头 紫菜汤 玉米羹 小米粥 拌黄瓜 炒青菜 蛋花汤 豆浆 酸梅汤 烧饼 春卷 水饺 凉粉 南瓜饼 "
    "绿豆汤 菠菜汤 银耳羹 年糕".split()
)

# English
FIRST_NAMES = tuple(
    "Alice Brian Carla David Elena Frank Grace Henry Irene James Karen Louis Maria Nathan Olivia Peter "
    "Quentin Rosa Samuel Tina Ulrich Vera Walter Xenia Yusuf Zoe Adam Bella Chris Diana Edgar Fiona "
    "George Hanna Ivan Julia Kevin Laura Martin Nina Oscar Paula Robert Sophie Thomas Ursula Victor "
    "Wendy Anton Beatrice Conrad Daisy Ernest Flora Gavin Hazel Isaac Joan Keith Lydia Marcus Naomi "
    "Otto Phoebe Ralph Sylvia Trevor Vivian Warren Yvonne Albert Bridget Clive Doris Eugene Felix Greta "
    "Harold Ingrid Jasper Kitty Leon Mabel Norman Opal Percy Ruth Simon Thelma Vincent Wilma Angus "
    "Bonnie Cyril Dolores Elmer Freda Gilbert Hilda Igor Janet".split()
)
LAST_NAMES = tuple(
    "Anderson Baker Carter Dawson Edwards Fisher Graham Harris Ingram Jenkins Keller Lawson Mitchell "
    "Nelson Osborne Parker Quinn Roberts Stevens Turner Underwood Vaughn Walker Young Abbott Bennett "
    "Coleman Dixon Emerson Foster Gibson Hayes Irving Jacobs Kennedy Lambert Marshall Newton Olsen "
    "Palmer Reynolds Spencer Tucker Vincent Watson York Archer Barnes Chapman Douglas Ellis Fletcher "
    "Griffin Hudson Ives Jordan Kirby Logan Morris Norton Owens Porter Ramsey Saunders Thornton Upton "
    "Vargas Webster Yates Aldridge Blackwell Cooper Dalton Elliott Fuller Garner Holmes Irwin Johnston "
    "Knight Lowell Mercer Nash Oakley Prescott Randall Shelton Tanner Vernon Winslow Ashford Bradley "
    "Crosby Drake Easton Finley Goodwin Hobbs Isles Joyner Kemp Langley".split()
)
MONTHS = tuple(
    "January February March April May June July August September October November December".split()
)
UNITS = tuple(
    "books tickets chairs laptops apples bottles towels shirts lamps boxes pencils parcels watches hats "
    "bicycles rooms reports roses cables stamps".split()
)
STREETS = tuple(
    "Maple Oak Cedar Elm Willow Birch Chestnut Juniper Magnolia Sycamore Harbor Lake River Hill Forest "
    "Meadow Garden Market Church Mill Station Bridge Castle Park Spring".split()
)
ROADS = ("Street", "Avenue", "Lane", "Road")
PLACES = tuple(
    "London Paris Berlin Madrid Rome Vienna Prague Warsaw Dublin Lisbon Oslo Helsinki Athens Budapest "
    "Brussels Amsterdam Stockholm Copenhagen Zurich Milan Munich Hamburg Boston Chicago Denver Seattle "
    "Austin Dallas Atlanta Portland Phoenix Toronto Montreal Vancouver Sydney Melbourne Auckland "
    "Singapore Tokyo Osaka".split()
)
PORTS = tuple(
    "Naples Venice Genoa Marseille Bordeaux Nantes Bilbao Valencia Seville Porto Faro Bristol Plymouth "
    "Cardiff Swansea Galway Cork Bergen Stavanger Tromso Gothenburg Malmo Aarhus Tallinn Riga Gdansk "
    "Rostock Bremen Trieste Split Dubrovnik Varna Odessa Izmir Haifa Tunis Tangier Casablanca Dakar "
    "Halifax".split()
)
VEHICLES = tuple("train coach ferry plane car bicycle motorbike taxi".split())
COLOUR_WORDS = tuple(
    "red blue green white black grey purple pink orange brown beige silver golden turquoise crimson "
    "yellow indigo ivory scarlet olive".split()
)
ADJECTIVES = tuple(
    "light sturdy soft thick compact roomy waterproof warm breathable durable handmade smart folding "
    "portable vintage modern simple cosy silent padded slim cheerful classic sporty elegant".split()
)
NOUNS = tuple(
    "backpack jacket bottle umbrella headset lamp carpet pillow curtain bookshelf scarf glove slipper "
    "tent suitcase bicycle kettle cooker monitor keyboard sofa guitar camera telescope skateboard "
    "sleeping-bag thermos radio blanket mirror".split()
)
TITLE_ADJECTIVES = tuple(
    "Distant Silent Gentle Ancient Golden Broken Frozen Hidden Burning Wandering Lonely Bright "
    "Forgotten Crooked Invisible Final Secret Restless Wooden Hollow Patient Stolen Sleeping Velvet "
    "Narrow".split()
)
TITLE_NOUNS = tuple(
    "Letters Keys Shadows Gardens Voices Rivers Maps Bells Mirrors Lanterns Promises Travellers Doctors "
    "Painters Neighbours Seasons Bridges Stories Clocks Windows".split()
)
TITLE_PLACES = tuple(
    "Winterfield Ashbourne Kingsbridge Marlow Redhill Thornbury Eastwick Silverton Brookhaven Northgate "
    "Fairview Greystone Lakewood Millbrook Oakdale Ravenswood Summerset Westbury Whitby Yarrow "
    "Coldwater Duskwood Elmswell Foxley Glenmore".split()
)

# Both
APP_FIRST = tuple(
    "Quick Smart Bright Easy Happy Sunny Clever Daily Magic Super Royal Prime Rapid Simple Tiny Urban "
    "Vital Wonder Fresh Global Honest Jolly Light Mega Noble".split()
)
APP_SECOND = tuple(
    "Photo Music Travel Weather Recipe Fitness Budget Language Calendar Parking Garden Movie Podcast "
    "Puzzle Shopping Reading Drawing Cycling Cooking Banking".split()
)
APP_LAST = tuple(
    "Studio Helper Planner Player Tracker Notes Coach Guide Box Hub Lab Club Master Pocket Stream Maker "
    "Finder Desk Buddy Scout Radar Journal Corner Mate Pro".split()
)

"""Readings of words that the phrase dictionary lacks or has otherwise.

Input   none
Output  PHRASES: word -> one syllable per character, citation tones, 5 neutral
State   none
Unaware of context: a word whose reading its neighbours decide (polyphones.py) does not belong here. Where
others disagree, Xiandai Hanyu Cidian decides: 旋转 is zhuan3, 粘性 nian2, 分子 fen1 unless it is a person.
"""

from __future__ import annotations

PHRASES = {
    phrase: tuple(pinyin.split("_"))
    for phrase, _, pinyin in (
        entry.partition("=")
        for entry in """
    行长=hang2_zhang3 银行=yin2_hang2 重庆=chong2_qing4 长大=zhang3_da4 还款=huan2_kuan3 还钱=huan2_qian2
    还书=huan2_shu1 还债=huan2_zhai4 归还=gui1_huan2 还给=huan2_gei3 朋友=peng2_you5 东西=dong1_xi5
    地方=di4_fang5 时候=shi2_hou5 什么=shen2_me5 怎么=zen3_me5 这么=zhe4_me5 那么=na4_me5 多么=duo1_me5
    明白=ming2_bai5 告诉=gao4_su5 认识=ren4_shi5 意思=yi4_si5 先生=xian1_sheng5 衣服=yi1_fu5 消息=xiao1_xi5
    知道=zhi1_dao4 谢谢=xie4_xie5 喜欢=xi3_huan5 清楚=qing1_chu5 漂亮=piao4_liang5 舒服=shu1_fu5
    便宜=pian2_yi5 觉得=jue2_de5 记得=ji4_de5 晚上=wan3_shang5 早上=zao3_shang5 看着=kan4_zhe5 看著=kan4_zhe5
    朝阳=chao2_yang2 一行=yi1_hang2 两行=liang3_hang2 行业=hang2_ye4 好不好=hao3_bu5_hao3
    看不见=kan4_bu5_jian4 为什么=wei4_shen2_me5 没关系=mei2_guan1_xi5 关系=guan1_xi5 事情=shi4_qing5
    休息=xiu1_xi5 学生=xue2_sheng5 医生=yi1_sheng1 大夫=dai4_fu5 打算=da3_suan5 多少=duo1_shao5 客气=ke4_qi5
    名字=ming2_zi5 数数=shu3_shu4 为了=wei4_le5 都市=du1_shi4 大都=da4_du1 首都=shou3_du1 商量=shang1_liang5
    开花结果=kai1_hua1_jie1_guo3 用尽=yong4_jin4 卷子=juan4_zi5 猪圈=zhu1_juan4 羊圈=yang2_juan4
    时差=shi2_cha1 明了=ming2_liao3 卜算=bu3_suan4 明了易懂=ming2_liao3_yi4_dong3 流血=liu2_xue4
    衣着=yi1_zhuo2 穿着打扮=chuan1_zhuo2_da3_ban5 强迫=qiang3_po4 勉强=mian3_qiang3 倔强=jue2_jiang4
    应用=ying4_yong4 供给=gong1_ji3 处方=chu3_fang1 呕吐=ou3_tu4 谈吐=tan2_tu3 模样=mu2_yang4 模具=mu2_ju4
    内脏=nei4_zang4 记载=ji4_zai3 载重=zai4_zhong4 创伤=chuang1_shang1 埋怨=man2_yuan4 恐吓=kong3_he4
    呜咽=wu1_ye4 旋风=xuan4_feng1 屏住=bing3_zhu4 曝光=bao4_guang1 堵塞=du3_se4 边塞=bian1_sai4 投奔=tou2_ben4
    湖泊=hu2_po1 萝卜=luo2_bo5 薄荷=bo4_he5 地壳=di4_qiao4 炮制=pao2_zhi4 漂白=piao3_bai2 散文=san3_wen2
    懒散=lan3_san3 弯曲=wan1_qu1 曲线=qu1_xian4 花卷=hua1_juan3 试卷=shi4_juan4 劲敌=jing4_di2 押解=ya1_jie4
    结实=jie1_shi5 角色=jue2_se4 主角=zhu3_jue2 配角=pei4_jue2 投降=tou2_xiang2 间接=jian4_jie1 间隔=jian4_ge2
    真假=zhen1_jia3 自给=zi4_ji3 茶几=cha2_ji1 会计=kuai4_ji4 号叫=hao2_jiao4 喝彩=he4_cai3 夺冠=duo2_guan4
    更新=geng1_xin1 变更=bian4_geng1 树干=shu4_gan4 过分=guo4_fen4 成分=cheng2_fen4 理发=li3_fa4 头发=tou2_fa5
    白发=bai2_fa4 到处=dao4_chu4 好处=hao3_chu4 音调=yin1_diao4 协调=xie2_tiao2 暖和=nuan3_huo5 好奇=hao4_qi2
    睡觉=shui4_jiao4 午觉=wu3_jiao4 看守=kan1_shou3 有空=you3_kong4 积累=ji1_lei3 累计=lei3_ji4 淹没=yan1_mo4
    沉没=chen2_mo4 困难=kun4_nan5 难民=nan4_min2 宁可=ning4_ke3 店铺=dian4_pu4 卧铺=wo4_pu4 一切=yi1_qie4
    亲家=qing4_jia5 大厦=da4_sha4 少年=shao4_nian2 青少年=qing1_shao4_nian2 舍不得=she3_bu5_de5 什锦=shi2_jin3
    游说=you2_shui4 星宿=xing1_xiu4 一宿=yi1_xiu3 子弹=zi3_dan4 炸弹=zha4_dan4 挑战=tiao3_zhan4
    朝鲜=chao2_xian3 照相=zhao4_xiang4 首相=shou3_xiang4 削减=xue1_jian3 剥削=bo1_xue1 校对=jiao4_dui4
    兴奋=xing1_fen4 兴旺=xing1_wang4 要求=yao1_qiu2 答应=da1_ying5 与会=yu4_hui4 参与=can1_yu4 晕车=yun4_che1
    朝气=zhao1_qi4 正月=zheng1_yue4 中奖=zhong4_jiang3 种子=zhong3_zi5 转圈=zhuan4_quan1 自转=zi4_zhuan4
    传记=zhuan4_ji4 水浒传=shui3_hu3_zhuan4 钻石=zuan4_shi2 作坊=zuo1_fang5 参差=cen1_ci1 西藏=xi1_zang4
    宝藏=bao3_zang4 对称=dui4_chen4 称心=chen4_xin1 畜牧=xu4_mu4 牲畜=sheng1_chu4 重担=zhong4_dan4
    摔倒=shuai1_dao3 倒闭=dao3_bi4 揣度=chuai3_duo2 恶心=e3_xin5 厌恶=yan4_wu4 仿佛=fang3_fu2 供品=gong4_pin3
    勾当=gou4_dang4 华山=hua4_shan1 划船=hua2_chuan2 济南=ji3_nan2 卡住=qia3_zhu4 效率=xiao4_lv4 郁闷=yu4_men4
    撒谎=sa1_huang3 撒种=sa3_zhong3 丧事=sang1_shi4 提防=di1_fang5 咽喉=yan1_hou2 咀嚼=ju3_jue2 处理=chu3_li3
    处境=chu3_jing4 看护=kan1_hu4 尽管=jin3_guan3 尽快=jin3_kuai4 不禁=bu4_jin1 情不自禁=qing2_bu4_zi4_jin1
    丢三落四=diu1_san1_la4_si4 鲜为人知=xian3_wei2_ren2_zhi1 背包=bei1_bao1 背带=bei1_dai4 塞车=sai1_che1
    闷热=men1_re4 蒙骗=meng1_pian4 粘贴=zhan1_tie1 症结=zheng1_jie2 盛饭=cheng2_fan4 中毒=zhong4_du2
    打中=da3_zhong4 看中=kan4_zhong4 种树=zhong4_shu4 种地=zhong4_di4 包扎=bao1_za1 择菜=zhai2_cai4
    任正非=ren2_zheng4_fei1 任达华=ren2_da2_hua2 解晓东=xie4_xiao3_dong1 单田芳=shan4_tian2_fang1
    仇英=qiu2_ying1 查良镛=zha1_liang2_yong1 曾国藩=zeng1_guo2_fan1 华佗=hua4_tuo2 尉迟恭=yu4_chi2_gong1
    尉迟=yu4_chi2 单于=chan2_yu2 吐蕃=tu3_bo1 龟兹=qiu1_ci2 大宛=da4_yuan1 月氏=yue4_zhi1 可汗=ke4_han2
    身毒=yuan1_du2 冒顿=mo4_du2 阏氏=yan1_zhi1 六安=lu4_an1 台州=tai1_zhou1 丽水=li2_shui3 亳州=bo2_zhou1
    蚌埠=beng4_bu4 东阿=dong1_e1 番禺=pan1_yu2 乐清=yue4_qing1 大埔=da4_bu4 铅山=yan2_shan1 洪洞=hong2_tong2
    歙县=she4_xian4 浚县=xun4_xian4 涡阳=guo1_yang2 厦门=xia4_men2 载入=zai3_ru4 旋转=xuan2_zhuan3
    转悠=zhuan4_you5 运转=yun4_zhuan3 晕头转向=yun1_tou2_zhuan4_xiang4 转速=zhuan4_su4 粘性=nian2_xing4
    粘度=nian2_du4 粘膜=nian2_mo2 粘合=nian2_he2 大佛=da4_fo2 肚子=du4_zi5 毛肚=mao2_du3 爆肚=bao4_du3
    多难=duo1_nan4 难处=nan2_chu5 炸鸡=zha2_ji1 炸鱼=zha2_yu2 炸薯条=zha2_shu3_tiao2 香炸=xiang1_zha2
    炸串=zha2_chuan4 酥炸=su1_zha2 炸猪排=zha2_zhu1_pai2 炸丸子=zha2_wan2_zi5 炸酱=zha2_jiang4 炸虾=zha2_xia1
    献血=xian4_xue4 出血=chu1_xue4 走调=zou3_diao4 上调=shang4_tiao2 下调=xia4_tiao2 调档=diao4_dang4
    调取=diao4_qu3 妥当=tuo3_dang5 正当=zheng4_dang4 行当=hang2_dang5 稳当=wen3_dang5 铺开=pu1_kai1
    铺满=pu1_man3 蒙古=meng3_gu3 内蒙古=nei4_meng3_gu3 内蒙=nei4_meng3 外蒙=wai4_meng3 蒙语=meng3_yu3
    蒙族=meng3_zu2 蒙对=meng1_dui4 扎实=zha1_shi5 扎辫子=za1_bian4_zi5 扎头发=za1_tou2_fa5 裁缝=cai2_feng5
    缝针=feng2_zhen1 眯缝=mi1_feng5 闷气=men4_qi4 胸闷=xiong1_men4 闷骚=men1_sao1 思量=si1_liang5
    打量=da3_liang5 估量=gu1_liang5 掂量=dian1_liang5 应酬=ying4_chou5 照应=zhao4_ying5
    应付账款=ying1_fu4_zhang4_kuan3 应激=ying4_ji1 应声=ying4_sheng1 应县=ying4_xian4 尤为=you2_wei2
    颇为=po1_wei2 略为=lve4_wei2 大为=da4_wei2 广为=guang3_wei2 最为=zui4_wei2 较为=jiao4_wei2 稍为=shao1_wei2
    为重=wei2_zhong4 为准=wei2_zhun3 为例=wei2_li4 为由=wei2_you2 为荣=wei2_rong2 为王=wei2_wang2
    为乐=wei2_le4 处在=chu3_zai4 用处=yong4_chu5 处对象=chu3_dui4_xiang4 身处=shen1_chu3 好强=hao4_qiang2
    偏好=pian1_hao4 恶寒=wu4_han2 鬼哭狼号=gui3_ku1_lang2_hao2 吆喝=yao1_he5 大喝一声=da4_he4_yi1_sheng1
    和泥=huo2_ni2 应和=ying4_he4 和稀泥=huo4_xi1_ni2 曲高和寡=qu3_gao1_he4_gua3 热和=re4_huo5 会稽=kuai4_ji1
    口角=kou3_jue2 劲爆=jing4_bao4 劲舞=jing4_wu3 连累=lian2_lei5 拖累=tuo1_lei5 累赘=lei2_zhui5
    硕果累累=shuo4_guo3_lei2_lei2 受累=shou4_lei4 累犯=lei3_fan4 罪行累累=zui4_xing2_lei3_lei3
    抹桌子=ma1_zhuo1_zi5 磨蹭=mo2_ceng5 拉磨=la1_mo4 推磨=tui1_mo4 电磨=dian4_mo4 磨豆腐=mo4_dou4_fu5
    磨叽=mo4_ji5 琢磨=zuo2_mo5 悄无声息=qiao3_wu2_sheng1_xi1 圈养=juan4_yang3 圈舍=juan4_she4
    塞尔维亚=sai4_er3_wei2_ya4 塞浦路斯=sai4_pu3_lu4_si1 塞内加尔=sai4_nei4_jia1_er3 塞舌尔=sai4_she2_er3
    扇巴掌=shan1_ba1_zhang5 扇耳光=shan1_er3_guang1 吓唬=xia4_hu5 旋床=xuan4_chuang2 眩晕=xuan4_yun4
    晕机=yun4_ji1 晕血=yun4_xue4 攒机=cuan2_ji1 创可贴=chuang1_ke3_tie1 青藏=qing1_zang4
    青藏高原=qing1_zang4_gao1_yuan2 藏羚羊=zang4_ling2_yang2 藏语=zang4_yu3 藏医=zang4_yi1 川藏=chuan1_zang4
    藏文=zang4_wen2 藏传=zang4_chuan2 藏族=zang4_zu2 进藏=jin4_zang4 道藏=dao4_zang4 冲鼻=chong4_bi2
    臭味相投=chou4_wei4_xiang1_tou2 山大王=shan1_dai4_wang5 钉死=ding4_si3 钉扣子=ding4_kou4_zi5
    少爷=shao4_ye5 少不了=shao3_bu5_liao3 数落=shu3_luo5 历数=li4_shu3 相声=xiang4_sheng5 相片=xiang4_pian4
    属相=shu3_xiang5 品相=pin3_xiang4 相框=xiang4_kuang4 吃相=chi1_xiang4 睡相=shui4_xiang4 三相=san1_xiang4
    作弄=zuo1_nong4 作料=zuo2_liao5 作揖=zuo1_yi1 作死=zuo1_si3 发丝=fa4_si1 发夹=fa4_jia1 发梢=fa4_shao1
    发质=fa4_zhi4 发小=fa4_xiao3 植发=zhi2_fa4 掉发=diao4_fa4 发簪=fa4_zan1 发带=fa4_dai4 亏空=kui1_kong5
    空档=kong4_dang4 空当=kong4_dang1 空着=kong4_zhe5 空座=kong4_zuo4 空车位=kong4_che1_wei4 空房=kong1_fang2
    乐评=yue4_ping2 古典乐=gu3_dian3_yue4 流行乐=liu2_xing2_yue4 爵士乐=jue2_shi4_yue4 民乐=min2_yue4
    落下=luo4_xia4 没顶=mo4_ding3 隐没=yin3_mo4 模糊=mo2_hu5 人模人样=ren2_mu2_ren2_yang4 开模=kai1_mu2
    倒模=dao4_mu2 模压=mu2_ya1 强记=qiang3_ji4 强辩=qiang3_bian4 曲靖=qu1_jing4 曲奇=qu1_qi2 曲轴=qu1_zhou2
    散发=san4_fa1 散客=san3_ke4 散货=san3_huo4 散打=san3_da3 散列=san3_lie4 散养=san3_yang3 舍友=she4_you3
    鸡舍=ji1_she4 舍利=she4_li4 舍弟=she4_di4 整宿=zheng3_xiu3 半宿=ban4_xiu3 提溜=di1_liu5 降妖=xiang2_yao1
    一物降一物=yi1_wu4_xiang2_yi1_wu4 宁死不降=ning4_si3_bu4_xiang2 校稿=jiao4_gao3 校时=jiao4_shi2
    压根=ya4_gen1 鼻咽=bi2_yan1 咽部=yan1_bu4 亏折=kui1_she2 朝花夕拾=zhao1_hua1_xi1_shi2 供述=gong4_shu4
    供养=gong1_yang3 冠以=guan4_yi3 冠亚军=guan4_ya4_jun1 三冠王=san1_guan4_wang2 着实=zhuo2_shi2
    着笔=zhuo2_bi3 着地=zhuo2_di4 着法=zhao1_fa3 显着=xian3_zhuo2 用不着=yong4_bu5_zhao2
    找不着=zhao3_bu5_zhao2 睡不着=shui4_bu5_zhao2 犯不着=fan4_bu5_zhao2 摸不着=mo1_bu5_zhao2
    够不着=gou4_bu5_zhao2 管不着=guan3_bu5_zhao2 摸不着头脑=mo1_bu5_zhao2_tou2_nao3
    此消彼长=ci3_xiao1_bi3_zhang3 秘书长=mi4_shu1_zhang3 理事长=li3_shi4_zhang3 多重=duo1_chong2
    重整=chong2_zheng3 困难重重=kun4_nan5_chong2_chong2 重装=chong2_zhuang1 重构=chong2_gou4
    重定向=chong2_ding4_xiang4 重名=chong2_ming2 重连=chong2_lian2 重塑=chong2_su4 重开=chong2_kai1
    重样=chong2_yang4 重排=chong2_pai2 重设=chong2_she4 重回=chong2_hui2 重发=chong2_fa1 重传=chong2_chuan2
    重录=chong2_lu4 重拍=chong2_pai1 重算=chong2_suan4 重考=chong2_kao3 重画=chong2_hua4 重签=chong2_qian1
    重填=chong2_tian2 重刷=chong2_shua1 重印=chong2_yin4 重译=chong2_yi4 重选=chong2_xuan3 重抄=chong2_chao1
    还嘴=huan2_zui3 还车=huan2_che1 还珠格格=huan2_zhu1_ge2_ge5 得亏=dei3_kui1 必得=bi4_dei3
    由不得=you2_bu5_de5 不得了=bu4_de2_liao3 了不得=liao3_bu5_de5 巴不得=ba1_bu5_de5 怪不得=guai4_bu5_de5
    恨不得=hen4_bu5_de5 见不得=jian4_bu5_de5 说不得=shuo1_bu5_de5 算得上=suan4_de5_shang4
    称得上=cheng1_de5_shang4 谈得上=tan2_de5_shang4 变得=bian4_de5 动弹不得=dong4_tan5_bu4_de2 投行=tou2_hang2
    支行=zhi1_hang2 总行=zong3_hang2 在行=zai4_hang2 琴行=qin2_hang2 行号=hang2_hao4 行数=hang2_shu4
    行首=hang2_shou3 命令行=ming4_ling4_hang2 世行=shi4_hang2 空行=kong4_hang2 跨行=kua4_hang2 缘分=yuan2_fen4
    辈分=bei4_fen4 情分=qing2_fen5 糖分=tang2_fen4 职分=zhi2_fen4 福分=fu2_fen5 分寸=fen1_cun5 分子=fen1_zi3
    水分子=shui3_fen1_zi3 知识分子=zhi1_shi5_fen4_zi3 恐怖分子=kong3_bu4_fen4_zi3 犯罪分子=fan4_zui4_fen4_zi3
    积极分子=ji1_ji2_fen4_zi3 不法分子=bu4_fa3_fen4_zi3 干粮=gan1_liang5 豆腐干=dou4_fu5_gan1 断更=duan4_geng1
    麻将=ma2_jiang4 教课=jiao1_ke4 教训=jiao4_xun5 占便宜=zhan4_pian2_yi5 切换=qie1_huan4 切线=qie1_xian4
    选中=xuan3_zhong4 中肯=zhong4_ken3 中意=zhong4_yi4 中用=zhong4_yong4 中邪=zhong4_xie2 言中=yan2_zhong4
    看不中=kan4_bu5_zhong4 投中=tou2_zhong4 砸中=za2_zhong4 中大奖=zhong4_da4_jiang3 中彩=zhong4_cai3
    中彩票=zhong4_cai3_piao4 中举=zhong4_ju3 中状元=zhong4_zhuang4_yuan5 播种=bo1_zhong4 接种=jie1_zhong4
    种牙=zhong4_ya2 种养=zhong4_yang3 种茶=zhong4_cha2 白蛇传=bai2_she2_zhuan4 甄嬛传=zhen1_huan2_zhuan4
    人物传=ren2_wu4_zhuan4 弹窗=tan2_chuang1 动弹=dong4_tan5 弹跳=tan2_tiao4 弹出=tan2_chu1 弹指=tan2_zhi3
    弹框=tan2_kuang4 弹回=tan2_hui2 都会=dou1_hui4 大都会=da4_du1_hui4 都督=du1_du5 魔都=mo2_du1 花都=hua1_du1
    丰都=feng1_du1 都匀=du1_yun2 益都=yi4_du1 新都=xin1_du1 武都=wu3_du1 玄都观=xuan2_du1_guan4
    倾倒=qing1_dao4 倒胃口=dao3_wei4_kou5 倒时差=dao3_shi2_cha1 倒腾=dao3_teng5 昏倒=hun1_dao3 晕倒=yun1_dao3
    倒序=dao4_xu4 倒春寒=dao4_chun1_han2 问卷=wen4_juan4 手卷=shou3_juan3 温差=wen1_cha1 反差=fan3_cha1
    公差=gong1_cha1 色差=se4_cha1 逆差=ni4_cha1 方差=fang1_cha1 残差=can2_cha1 落差=luo4_cha1
    标准差=biao1_zhun3_cha1 差事=chai1_shi5 差旅=chai1_lv3 差旅费=chai1_lv3_fei4 参宿=shen1_xiu4
    曾参=zeng1_shen1 参鸡汤=shen1_ji1_tang1 曾子=zeng1_zi3 横竖=heng2_shu5 满脸横肉=man3_lian3_heng4_rou4
    一哄而上=yi1_hong4_er2_shang4 比划=bi3_hua5 刻划=ke4_hua4 划水=hua2_shui3 划痕=hua2_hen2
    划火柴=hua2_huo3_chai2 一晃=yi1_huang4 晃荡=huang4_dang5 晃悠=huang4_you5 济源=ji3_yuan2 夹克=jia1_ke4
    胳肢窝=ga1_zhi5_wo1 耐嚼=nai4_jiao2 甲壳虫=jia3_ke2_chong2 露水=lu4_shui5 露出=lu4_chu1
    露出马脚=lou4_chu1_ma3_jiao3 走露=zou3_lou4 照片=zhao4_pian4 动画片=dong4_hua4_pian1 掉色=diao4_shai3
    色子=shai3_zi5 说客=shui4_ke4 挑剔=tiao1_ti5 挑起=tiao3_qi3 挑事=tiao3_shi4 挑头=tiao3_tou2
    挑染=tiao3_ran3 单挑=dan1_tiao3 发帖=fa1_tie3 回帖=hui2_tie3 跟帖=gen1_tie3 饮马=yin4_ma3 鸡爪=ji1_zhua3
    水钻=shui3_zuan4 直奔=zhi2_ben4 奔向=ben4_xiang4 背锅=bei1_guo1 双肩背=shuang1_jian1_bei1 别扭=bie4_niu5
    答理=da1_li5 扁担=bian3_dan5 唠叨=lao2_dao5 面的=mian4_di1 果脯=guo3_fu3 膏药=gao1_yao5 骨碌=gu1_lu5
    花骨朵=hua1_gu1_duo5 核桃=he2_tao5 灯笼=deng1_long5 摩挲=ma1_sa5 栅栏=zha4_lan5 皋陶=gao1_yao2
    委屈=wei3_qu5 鲜少=xian3_shao3 薄膜=bo2_mo2 任县=ren2_xian4 了却=liao3_que4 了断=liao3_duan4
    了事=liao3_shi4 一觉=yi1_jiao4 一觉醒来=yi1_jiao4_xing3_lai2 回笼觉=hui2_long2_jiao4
    美容觉=mei3_rong2_jiao4 补觉=bu3_jiao4 亲戚=qin1_qi5 家什=jia1_shi5 咳嗽=ke2_sou5 窟窿=ku1_long5
    喇叭=la3_ba5 遛弯=liu4_wan1 猫腰=mao2_yao1 澎湃=peng2_pai4 一撇=yi1_pie3 泊船=bo2_chuan2 蹊径=xi1_jing4
    扫帚=sao4_zhou5 毛遂=mao2_sui4 踏实=ta1_shi5 糟蹋=zao1_ta5 唾沫=tuo4_mo5 驮子=duo4_zi5 咋呼=zha1_hu5
    尼泊尔=ni2_bo2_er3 华罗庚=hua4_luo2_geng1 华国锋=hua4_guo2_feng1 任志强=ren2_zhi4_qiang2
    任贤齐=ren2_xian2_qi2 任泉=ren2_quan2 曾志伟=zeng1_zhi4_wei3 曾巩=zeng1_gong3 朴槿惠=piao2_jin3_hui4
    朴正熙=piao2_zheng4_xi1 解缙=xie4_jin4 盖茨=gai4_ci2 宁浩=ning2_hao4 大城县=dai4_cheng2_xian4
    葛优=ge3_you1 葛洪=ge3_hong2 查慎行=zha1_shen4_xing2 单雄信=shan4_xiong2_xin4 蒙着=meng2_zhe5
    """.split()
    )
}

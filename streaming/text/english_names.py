"""Names that people write in Chinese texts and that neither the dictionary nor the model says as they do.

Input   nothing
Output  NAMES: lower-case word -> ARPAbet in syllables
State   none

A name belongs here only if it comes out wrong without, in small letters or in capitals: `zhiyin text` tells.
"""

from __future__ import annotations

NAMES = {
    word: arpabet.strip()
    for word, _, arpabet in (
        line.strip().partition(" ")
        for line in """
    ai            EY1 . AY1
    am            AE1 M
    app           AE1 P
    etc           EH0 T . S EH1 . T ER0 . AH0
    id            AY1 . D IY1
    vs            V ER1 . S AH0 S

    alipay        AA1 . L IY0 . P EY2
    asyncio       EY2 . S IH1 NG K . AY1 . OW1
    baichuan      B AY1 . CH W AA2 N
    chatgpt       CH AE1 T . JH IY1 . P IY1 . T IY1
    covid         K OW1 . V IH0 D
    cuda          K UW1 . D AH0
    djokovic      JH OW1 . K AH0 . V IH0 CH
    doubao        D OW1 . B AW2
    douyin        D OW1 . Y IH2 N
    ethereum      IH0 . TH IH1 . R IY0 . AH0 M
    fastapi       F AE1 S T . EY2 . P IY2 . AY1
    genshin       G EH1 N . SH IH0 N
    gitlab        G IH1 T . L AE2 B
    golang        G OW1 . L AE2 NG
    grafana       G R AH0 . F AA1 . N AH0
    hifigan       HH AY1 . F AY2 . G AE2 N
    huawei        W AA1 . W EY2
    hunyuan       HH UH1 N . Y UW0 . AE2 N
    ios           AY1 . OW1 . EH1 S
    json          JH EY1 . S AH0 N
    kimi          K IY1 . M IY0
    kubectl       K Y UW1 B . K AH0 N . T R OW2 L
    kubernetes    K UW2 . B ER0 . N EH1 . T IY0 Z
    localhost     L OW1 . K AH0 L . HH OW2 S T
    mbappe        EH0 M . B AA1 . P EY2
    meituan       M EY1 . T W AA2 N
    moderna       M AH0 . D ER1 . N AH0
    mongodb       M AA1 NG . G OW0 . D IY1 . B IY1
    mysql         M AY1 . EH1 S . K Y UW1 . EH1 L
    nextjs        N EH1 K S T . JH EY1 . EH1 S
    nginx         EH1 N . JH IH0 . N EH1 K S
    nio           N IY1 . OW0
    numpy         N AH1 M . P AY2
    oneplus       W AH1 N . P L AH2 S
    onnx          AA1 . N IH0 K S
    openai        OW1 . P AH0 N . EY1 . AY1
    openvino      OW1 . P AH0 N . V IY2 . N OW0
    oppo          OW1 . P OW0
    paracetamol   P EH2 . R AH0 . S IY1 . T AH0 . M AO2 L
    pinduoduo     P IH2 N . D W OW1 . D W OW2
    postgres      P OW1 S T . G R EH2 S
    postgresql    P OW1 S T . G R EH2 S . K Y UW1 . EH1 L
    pydantic      P AY0 . D AE1 N . T IH0 K
    pytorch       P AY1 . T AO2 R CH
    rabbitmq      R AE1 . B IH0 T . EH1 M . K Y UW1
    semaglutide   S EH2 . M AH0 . G L UW1 . T AY2 D
    shein         SH IY1 . IH0 N
    sqlite        EH1 S . K Y UW1 . L AY2 T
    systemd       S IH1 . S T AH0 M . D IY1
    temu          T IY1 . M UW0
    tensorrt      T EH1 N . S ER0 . AA1 R . T IY1
    tiktok        T IH1 K . T AA1 K
    tokenizer     T OW1 . K AH0 . N AY2 . Z ER0
    uniqlo        Y UW1 . N IH0 . K L OW0
    wechat        W IY1 . CH AE1 T
    weibo         W EY1 . B OW2
    xiaomi        SH AW1 . M IY0
    xpeng         EH1 K S . P EH2 NG
    yaml          Y AE1 . M AH0 L
    zhihu         JH ER1 . HH UW2
    zhiyin        JH ER1 . Y IH2 N
    """.splitlines()
    )
    if word
}

"""What a first visitor may try: Chinese, English, both."""

from __future__ import annotations

EXAMPLES = (
    "你好，欢迎使用语音合成服务。",
    "今天是2025年3月8日，气温23.5℃，降水概率只有10%，适合去公园散步。",
    "他在银行当行长，每天都要重新核对一遍重要的文件。",
    "Hello, and welcome. This is a streaming voice, and it starts before the sentence is done.",
    "我的 iPhone 连不上 WiFi，请帮我打开 Bluetooth。",
)

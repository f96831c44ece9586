/** Texts to begin with. */

/** @type {{zh: string, en: string, text: string}[]} */
export const SAMPLES = [
  { zh: "高山流水", en: "A legend", text: "伯牙鼓琴，志在高山，钟子期说：“善哉，峨峨兮若泰山。”志在流水，子期说：“善哉，洋洋兮若江河。”伯牙所念，子期必得之。后来人们把这样的朋友叫作知音。" },
  { zh: "数字与时间", en: "Numbers", text: "会议定在2025年3月8日上午9:30，地点是三楼302室，预计需要1.5小时。气温-3到5摄氏度，请带好外套。" },
  { zh: "中英混说", en: "Chinese and English", text: "这个 API 的 response time 只有三十毫秒，比上个 version 快了一倍，用户体验 very smooth。" },
  { zh: "客服", en: "Customer service", text: "您好，这里是客服中心，很高兴为您服务。您的订单已经发货，预计明天下午送达，请保持电话畅通。" },
];

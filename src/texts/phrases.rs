//! Phrases that senders and fields of schedules hold as they are: each stands there in English.

use super::text::Text;

macro_rules! phrases {
    ($($english:literal: $chinese:literal;)*) => {
        /// One of these phrases; what is none stays as it is.
        pub(crate) fn phrase(english: &'static str) -> Text {
            match english {
                $($english => Text::fixed($english, $chinese),)*
                _ => Text::same(english),
            }
        }

        #[cfg(test)]
        pub(super) const ALL: &[(&str, &[&str], &str)] = &[$(($english, &[$english], $chinese),)*];
    };
}

phrases! {
    // Fields of cron.
    "second": "秒";
    "minute": "分";
    "hour": "时";
    "day of month": "日";
    "month": "月";
    "day of week": "星期";
    "0-59, a list 0,30, a range 0-29, a step */10 or *": "0-59、列表 0,30、范围 0-29、步长 */10 或 *";
    "0-59, a list 0,30, a range 0-29, a step */5 or *": "0-59、列表 0,30、范围 0-29、步长 */5 或 *";
    "0-23, a list 8,20, a range 9-17, a step */2 or *": "0-23、列表 8,20、范围 9-17、步长 */2 或 *";
    "1-31, a list 1,15, a range 1-7, a step */2, L (last day), 15W (nearest working day), LW or *":
        "1-31、列表 1,15、范围 1-7、步长 */2、L（最后一天）、15W（最近的工作日）、LW 或 *";
    "1-12, JAN-DEC, a list 1,7, a range 6-8, a step */3 or *": "1-12、JAN-DEC、列表 1,7、范围 6-8、步长 */3 或 *";
    "0-7 (0 and 7 are Sunday), SUN-SAT, a list 1,3, a range 1-5, 5L (last Friday), 1#2 (second Monday) or *":
        "0-7（0 和 7 都是星期日）、SUN-SAT、列表 1,3、范围 1-5、5L（最后一个星期五）、1#2（第二个星期一）或 *";
    "a step needs a range": "步长要有范围";
    "the range runs backwards": "范围写反了";

    // Kinds of addresses that are not the public internet.
    "unspecified": "未指定的地址";
    "loopback": "本机地址";
    "private": "内网地址";
    "link-local": "链路本地地址";
    "carrier-grade NAT": "运营商 NAT 地址";
    "multicast": "多播地址";
    "reserved": "保留地址";
    "IPv4-mapped": "映射到 IPv4 的地址";

    // Whom senders cannot write to, and what they cannot send.
    "is no number": "不是数字";
    "digits without spaces or other signs": "纯数字，不含空格和其他符号";
    "is no chat of Telegram": "不是 Telegram 的聊天";
    "looks like a bot's token": "像是机器人的 token";
    "is a name, and no bot can write to a person by the name": "是用户名，而机器人不能凭用户名给人发消息";
    "the user's number such as 123456789": "用户的数字 id，如 123456789";
    "a chat's number such as -1001234567890 or a channel's @name, with a topic's number after a slash if there is one":
        "聊天的数字 id，如 -1001234567890，或频道的 @name；有话题时在斜杠后写话题号";
    "is no room of Matrix": "不是 Matrix 的房间";
    "a room's id (!…) or its alias such as #name:example.org": "房间的 id（!…）或别名，如 #name:example.org";
    "is no user of Matrix": "不是 Matrix 的用户";
    "a user's id such as @name:example.org": "用户的 id，如 @name:example.org";
    "a group robot reaches only its group": "群机器人只能发到它所在的群";
    "the platform lets no bot into a group": "平台不允许机器人进群";
    "a custom bot writes to its own group only; use feishu_app for users": "自定义机器人只能发到它所在的群；发给用户请用 feishu_app";
    "a custom robot writes to its own group only": "自定义机器人只能发到它所在的群";
}

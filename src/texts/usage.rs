//! What is told of a command line that makes no sense, and the headings of help. The English is the parser's own.

use super::text::texts;

texts! {
    usage_error(what): "error: {what}", "错误：{what}";
    unexpected_argument(argument): "unexpected argument '{argument}' found", "没有这个参数：'{argument}'";
    unrecognized_verb(verb): "unrecognized subcommand '{verb}'", "没有这个命令：'{verb}'";
    verb_needs_another(verb): "'{verb}' requires a subcommand but one was not provided", "'{verb}' 后面还要写一个子命令";
    arguments_missing(): "the following required arguments were not provided:", "缺少这些必需的参数：";
    invalid_value(value, argument): "invalid value '{value}' for '{argument}'", "'{argument}' 的值 '{value}' 不对";
    because(why): ": {why}", "：{why}";
    value_missing(argument): "a value is required for '{argument}' but none was supplied", "'{argument}' 要有一个值，却没有给";
    equals_missing(argument): "equal sign is needed when assigning values to '{argument}'", "给 '{argument}' 的值要写在等号后面";
    too_many_values(value, argument):
        "unexpected value '{value}' for '{argument}' found; no more were expected",
        "'{argument}' 不再接受更多的值：多了 '{value}'";
    given_twice(argument): "the argument '{argument}' cannot be used multiple times", "参数 '{argument}' 只能写一次";
    not_together(argument, other):
        "the argument '{argument}' cannot be used with '{other}'",
        "参数 '{argument}' 不能与 '{other}' 一起用";
    option_as_value(option, value, verb):
        "{option} wants a value, and '{value}' is an option of {verb}; if that very text is meant, write '{option}={value}'",
        "{option} 要有一个值，而 '{value}' 是 {verb} 的选项；如果要的就是这几个字，请写 '{option}={value}'";
    similar(name): "tip: a similar one exists: '{name}'", "提示：您是不是想写 '{name}'？";
    tip(words): "tip: {words}", "提示：{words}";
    as_a_value(argument): "to pass '{argument}' as a value, use '-- {argument}'", "要把 '{argument}' 当作值，请写 '-- {argument}'";
    taken_as_value(value, option): "'{value}' was taken as the value of {option}", "'{value}' 被当成了 {option} 的值";
    try_help(): "For more information, try '--help'.", "更多说明见 '--help'。";

    heading_usage(): "Usage:", "用法：";
    heading_options(): "Options:", "选项：";
    heading_arguments(): "Arguments:", "参数：";
    heading_commands(): "Commands:", "命令：";
    heading_everywhere(): "Everywhere:", "各处通用：";
    heading_examples(): "Examples:", "示例：";
    heading_example(): "Example:", "示例：";
    heading_possible(): "Possible values:", "可选的值：";
    possible_values(): "[possible values: ", "[可选的值：";
    default_value(): "[default: ", "[默认：";
    print_help(): "Print help", "显示帮助";
    print_version(): "Print version", "显示版本";
    help_of_verbs():
        "Print this message or the help of the given subcommand(s)",
        "显示本帮助，或某个子命令的帮助";
    more_with_help(): "(see more with '--help')", "（更多见 '--help'）";
    summary_with_h(): "(see a summary with '-h')", "（摘要见 '-h'）";
}

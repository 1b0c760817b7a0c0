//! The implementations behind the one protocol, and what they do each in their own way (qq.md §2.3, §3.1, §4).

use serde_json::Value;

/// Which implementation answers, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    NapCat {
        /// Takes files in chunks (`upload_file_stream`), since 4.8.115.
        streams: bool,
    },
    LlBot,
    Lagrange,
    GoCqhttp,
    Other,
}

impl Product {
    /// From the data of `get_version_info`.
    pub(super) fn tell(version_info: &Value) -> Product {
        let field = |key: &str| version_info.get(key).and_then(Value::as_str).unwrap_or_default().to_lowercase();
        match field("app_name") {
            name if name.contains("napcat") => {
                Product::NapCat { streams: is_at_least(&field("app_version"), [4, 8, 115]) }
            }
            name if name.starts_with("llonebot") || name.starts_with("llbot") => Product::LlBot,
            name if name.starts_with("lagrange") => Product::Lagrange,
            name if name.contains("go-cqhttp") => Product::GoCqhttp,
            _ => Product::Other,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Product::NapCat { .. } => "NapCat",
            Product::LlBot => "LLBot",
            Product::Lagrange => "Lagrange",
            Product::GoCqhttp => "go-cqhttp",
            Product::Other => "the implementation",
        }
    }

    /// Whether a `file` segment uploads. Elsewhere the upload actions must be used; here the segment is better, as
    /// it brings a message id.
    pub(super) fn takes_file_segments(self) -> bool {
        matches!(self, Product::NapCat { .. } | Product::LlBot)
    }

    /// Whether it is known to report every media that it could not send. The others are asked what they sent.
    pub(super) fn reports_dropped_media(self) -> bool {
        matches!(self, Product::NapCat { .. } | Product::LlBot)
    }

    /// Whether it is known to report an @all that it may not send.
    pub(super) fn reports_dropped_at_all(self) -> bool {
        matches!(self, Product::NapCat { .. })
    }

    /// The name of a video segment's still; None where there is none.
    pub(super) fn video_cover_key(self) -> Option<&'static str> {
        match self {
            Product::NapCat { .. } | Product::LlBot => Some("thumb"),
            Product::GoCqhttp => Some("cover"),
            Product::Lagrange | Product::Other => None,
        }
    }
}

fn is_at_least(version: &str, least: [u64; 3]) -> bool {
    let mut numbers = version.trim_start_matches('v').split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
    let version = [(); 3].map(|()| numbers.next().unwrap_or(0));
    version >= least
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_product_is_told_by_its_name_and_version() {
        let rows = [
            ("NapCat.Onebot", "4.18.13", Product::NapCat { streams: true }),
            ("NapCat.Onebot", "4.8.115", Product::NapCat { streams: true }),
            ("NapCat.Onebot", "4.8.114", Product::NapCat { streams: false }),
            ("NapCat.Onebot", "v5", Product::NapCat { streams: true }),
            ("LLOneBot", "8.1.7", Product::LlBot),
            ("Lagrange.OneBot", "0.0.3", Product::Lagrange),
            ("go-cqhttp", "v1.2.0", Product::GoCqhttp),
            ("Shamrock", "1", Product::Other),
        ];
        for (name, version, product) in rows {
            assert_eq!(Product::tell(&json!({"app_name": name, "app_version": version})), product, "{name} {version}");
        }
        assert_eq!(Product::tell(&json!(null)), Product::Other);
    }
}

//! Cookies: who is signed in, and how somebody wants to see the page.

use crate::net::http1::{Head, header};

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) enum Cookie {
    Session,
    Look,
}

impl Cookie {
    /// Behind https a name that no other host and no page without TLS can set.
    fn name(self, is_https: bool) -> &'static str {
        match (self, is_https) {
            (Cookie::Session, true) => "__Host-pushcron",
            (Cookie::Session, false) => "pushcron",
            (Cookie::Look, true) => "__Host-pushcron-look",
            (Cookie::Look, false) => "pushcron-look",
        }
    }

    /// What the browser sent of it. Twice is not at all: somebody else may have put one before ours.
    pub(in crate::web) fn of(self, head: &Head, is_https: bool) -> Option<&str> {
        let fields = head.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(name, _)| *name == self.name(is_https)).map(|(_, value)| value);
        values.next().filter(|_| values.next().is_none())
    }

    /// The field that sets it, for so many seconds; None: until the browser ends. The value is ours, and plain.
    pub(in crate::web) fn set(self, value: &str, seconds: Option<u32>, is_https: bool) -> String {
        let secure = if is_https { "; Secure" } else { "" };
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{age}{secure}", self.name(is_https))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::http1::Request;

    fn head(fields: &[&str]) -> Head {
        let request = fields.iter().fold(Request::builder(), |request, field| request.header("cookie", *field));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_cookie_is_found_among_others_and_one_that_comes_twice_is_none() {
        let of = |fields: &[&str], is_https| Cookie::Session.of(&head(fields), is_https).map(str::to_owned);
        assert_eq!(of(&["a=b; pushcron=x; c=d"], false).as_deref(), Some("x"));
        assert_eq!(of(&["a=b", "pushcron=x"], false).as_deref(), Some("x"));
        assert_eq!(of(&["pushcron=x; pushcron=y"], false), None);
        assert_eq!(of(&["pushcron=x"], true), None, "behind https it has another name");
        assert_eq!(of(&["__Host-pushcron=x"], true).as_deref(), Some("x"));
        assert_eq!(of(&["pushcron-look=x", "nonsense"], false), None);
    }

    #[test]
    fn no_script_and_no_other_site_gets_a_cookie() {
        assert_eq!(Cookie::Session.set("x", None, false), "pushcron=x; Path=/; HttpOnly; SameSite=Strict");
        assert_eq!(
            Cookie::Session.set("", Some(0), true),
            "__Host-pushcron=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0; Secure"
        );
    }
}

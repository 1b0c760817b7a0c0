//! How an address is asked, and where a redirect of it may lead.

use url::Url;

use super::error::Problem;

/// How one address is asked, beside its address.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wants<'a> {
    /// Sent along, to the server of the address and to no other one.
    pub headers: &'a [(String, String)],
    /// The statuses whose body is wanted; those of success where there are none.
    pub expect: &'a [u16],
    /// Also where only we can reach: this address, and nothing that it redirects to elsewhere.
    pub allow_private: bool,
    /// No redirect leads to another host, nor from https to http: who wrote the address meant whom it names.
    pub same_host: bool,
}

impl Wants<'_> {
    /// Why a redirect must not be followed, or None where it may.
    pub(super) fn refuses(&self, from: &Url, to: &Url) -> Option<Problem> {
        let is_same = from.origin() == to.origin();
        let is_same_host = from.host() == to.host();
        let is_downgrade = from.scheme() == "https" && to.scheme() == "http";
        let is_upgrade =
            is_same_host && (from.scheme(), from.port(), to.scheme(), to.port()) == ("http", None, "https", None);
        let why = if !self.headers.is_empty() && !is_same {
            // They may be a token, which was given for one server.
            "where the headers of headers_file do not go"
        } else if self.allow_private && !is_same && !is_upgrade {
            // Another machine, or another program on the same one, that nobody opened.
            "which allow_private does not open; write that address if it is meant"
        } else if self.same_host && (!is_same_host || is_downgrade) {
            "which the file does not name; write that address if it is meant"
        } else {
            return None;
        };
        Some(Problem::rejected(format!("{} redirects to {}, {why}", origin(from), origin(to))))
    }
}

/// Scheme, host and port: all of an address that may be shown.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_goes_no_further_than_what_was_opened() {
        let token = [("authorization".to_owned(), "canary".to_owned())];
        let any = Wants::default();
        let content = Wants { same_host: true, ..any };
        let private = Wants { allow_private: true, ..content };
        let with_headers = Wants { headers: &token, ..content };
        for (from, to, followed) in [
            ("https://a.test/x", "https://a.test/y", [true, true, true, true]),
            ("http://a.test/x", "https://a.test/x", [true, true, true, false]),
            ("http://127.0.0.1:80/", "http://127.0.0.1:6379/", [true, true, false, false]),
            ("http://127.0.0.1:8901/", "https://127.0.0.1/", [true, true, false, false]),
            ("http://127.0.0.1/", "http://169.254.169.254/", [true, false, false, false]),
            ("https://a.test/", "https://b.test/", [true, false, false, false]),
            ("https://a.test/", "http://a.test/", [true, false, false, false]),
            ("https://a.test/", "https://a.test.b.test/", [true, false, false, false]),
        ] {
            let (from, to): (Url, Url) = (from.parse().unwrap(), to.parse().unwrap());
            let all = [any, content, private, with_headers].map(|wants| wants.refuses(&from, &to).is_none());
            assert_eq!(all, followed, "{from} to {to}");
        }
    }
}

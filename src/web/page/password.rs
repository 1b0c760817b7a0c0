//! Passwords, and what stands in the files for them.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, PasswordHash};

/// What is checked where there is no such user, so that nobody learns by the time it takes who there is. Of nobody's password.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Longer ones are no passwords.
pub(in crate::web) const LONGEST: usize = 1024;

/// The argon2id hash of a password, with a salt of its own.
///
/// # Errors
///
/// Where the system gives no random numbers.
pub(crate) fn hash_of_password(password: &str) -> Result<String, std::io::Error> {
    let hash: Result<PasswordHash, _> = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| std::io::Error::other(error.to_string()))
}

/// Whether a password has this hash. Without one as much is done, and the answer is no.
pub(in crate::web) fn is_right(password: &str, hash: Option<&str>) -> bool {
    let checked = hash.unwrap_or(NOBODYS);
    let fits = PasswordVerifier::<str>::verify_password(&Argon2::default(), password.as_bytes(), checked).is_ok();
    fits && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_hash_alone() {
        let (hash, again) = (hash_of_password("correct horse").unwrap(), hash_of_password("correct horse").unwrap());
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && hash != again, "{hash}");
        assert!(is_right("correct horse", Some(&hash)) && is_right("correct horse", Some(&again)));
        assert!(!is_right("correct horse ", Some(&hash)) && !is_right("", Some(&hash)));
        // The one of nobody is a hash that is worked on, and that nothing fits.
        assert!(PasswordHash::new(NOBODYS).is_ok() && !is_right("", None) && !is_right("", Some(NOBODYS)));
    }
}

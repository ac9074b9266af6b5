//! `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, as
//! aws-actions/configure-aws-credentials exports them.

use super::Credentials;
use crate::error::{Error, Result, problem};
use crate::host::Env;
use crate::secret::Secret;

/// The credentials, if both parts are set.
///
/// # Errors
/// [`problem::CREDENTIALS_INCOMPLETE`] if only one is.
pub fn read(env: &dyn Env) -> Result<Option<Credentials>> {
    let half = |there: &str, missing: &str| {
        let detail = format!("{there} is set, {missing} is not (or is empty)");
        Err(Error::new(&problem::CREDENTIALS_INCOMPLETE, detail).at("environment"))
    };
    match (
        env.var("AWS_ACCESS_KEY_ID"),
        env.var("AWS_SECRET_ACCESS_KEY"),
    ) {
        (None, None) => Ok(None),
        (Some(_), None) => half("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        (None, Some(_)) => half("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        (Some(id), Some(secret)) => Ok(Some(Credentials {
            access_key_id: checked("AWS_ACCESS_KEY_ID", id)?,
            secret_access_key: checked("AWS_SECRET_ACCESS_KEY", secret).map(Secret::new)?,
            session_token: env
                .var("AWS_SESSION_TOKEN")
                .map(|token| checked("AWS_SESSION_TOKEN", token).map(Secret::new))
                .transpose()?,
            expires: None,
        })),
    }
}

/// A value without white space around it, that fits into a header.
///
/// # Errors
/// [`problem::CREDENTIALS_INCOMPLETE`], naming the variable and not its value.
fn checked(name: &str, value: String) -> Result<String> {
    let value = value.trim();
    if value.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(value.to_owned());
    }
    Err(Error::new(
        &problem::CREDENTIALS_INCOMPLETE,
        format!("{name} holds white space or control characters"),
    )
    .at("environment"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::env;

    #[test]
    fn takes_all_three() {
        let credentials = read(&env(&[
            ("AWS_ACCESS_KEY_ID", "AKIA1\n"),
            ("AWS_SECRET_ACCESS_KEY", " secret "),
            ("AWS_SESSION_TOKEN", "token"),
        ]));
        let credentials = credentials.unwrap().unwrap();
        assert_eq!(credentials.access_key_id, "AKIA1");
        assert_eq!(credentials.secret_access_key.expose(), "secret");
        assert_eq!(credentials.session_token.unwrap().expose(), "token");
        assert!(read(&env(&[])).unwrap().is_none());
    }

    #[test]
    fn half_a_pair_is_an_error_that_names_the_missing_half() {
        for (there, missing) in [
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
            ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        ] {
            let error = read(&env(&[(there, "x"), (missing, "")])).unwrap_err();
            assert_eq!(
                error.detail,
                format!("{there} is set, {missing} is not (or is empty)")
            );
        }
    }

    #[test]
    fn what_would_break_a_header_is_refused_without_being_shown() {
        let error = read(&env(&[
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2\r\nX: y"),
        ]))
        .unwrap_err();
        assert!(error.is(&problem::CREDENTIALS_INCOMPLETE) && !error.report().contains("hunter2"));
    }
}

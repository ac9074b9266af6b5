//! The errors of AWS's services: a code and words, in JSON here (KMS, credential endpoints) and in XML
//! there (STS, which makes its own of it).

use crate::error::words;
use crate::http::Response;
use crate::http::client::Client;
use std::fmt;

/// The code and the words of an error in the JSON protocol.
pub struct AwsError {
    /// Such as `NotFoundException`.
    pub code: String,
    /// In AWS's words, made fit for a line.
    pub message: String,
}

impl AwsError {
    /// The error, if the answer is one.
    pub fn of(response: &Response) -> Option<Self> {
        let body = response.json()?;
        let text = |name: &str| body[name].as_str();
        // `com.amazonaws.kms#NotFoundException` in the body, `NotFoundException:http://...` in the header.
        let code = text("__type")
            .or_else(|| text("code"))
            .or_else(|| response.header("x-amzn-errortype"))?;
        let code = code.rsplit('#').next()?.split(':').next()?;
        let message = text("message")
            .or_else(|| text("Message"))
            .unwrap_or_default();
        Some(Self {
            code: words(code),
            message: words(message),
        })
    }

    /// How many seconds AWS's clock is ahead, if that is why it refused the signature.
    pub(crate) fn clock_skew(&self, response: &Response, client: &Client) -> Option<i64> {
        let timed = matches!(
            self.code.as_str(),
            "InvalidSignatureException"
                | "SignatureDoesNotMatch"
                | "RequestExpired"
                | "RequestTimeTooSkewed"
        );
        let told = ["expired", "not yet current", "too skewed"]
            .iter()
            .any(|text| self.message.contains(text));
        let skew = response.date()?.since(client.host.clock.now());
        (timed && told && skew.abs() >= 60).then_some(skew)
    }
}

/// `CODE: words`, or the code alone.
impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

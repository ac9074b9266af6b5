//! AWS STS: the [query protocol](https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html),
//! a form in, XML out.

use crate::codec::uuid;
use crate::http::Answer;

/// An error in the shape of the query protocol.
pub(crate) fn error(status: u16, kind: &str, message: &str) -> Answer {
    let fault = if status < 500 { "Sender" } else { "Receiver" };
    let id = uuid();
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    <Type>{fault}</Type>\n    \
         <Code>{}</Code>\n    <Message>{}</Message>\n  </Error>\n  <RequestId>{id}</RequestId>\n</ErrorResponse>\n",
        escape(kind),
        escape(message)
    );
    Answer::new(status)
        .header("x-amzn-RequestId", id)
        .header("Content-Type", "text/xml")
        .body(body)
}

/// Text as XML content.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

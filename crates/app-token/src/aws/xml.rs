//! As much of XML as an answer of AWS's query protocol has: elements, text and entities.
//!
//! Written out because the libraries for it are several times as large as all that is read with it. It
//! is strict: whatever it does not know (a document type, CDATA, text beside elements) makes the whole
//! document unreadable.

use zeroize::Zeroizing;

/// AWS's answers are four elements deep.
const DEEPEST: usize = 8;

/// The elements of a document that hold no others, with the way to each: `Error/Code` below the root.
pub struct Leaves(Vec<(String, Zeroizing<String>)>);

impl Leaves {
    /// Reads a document. `None` if it is not well formed, or not of this simple kind.
    pub fn read(document: &str) -> Option<Self> {
        let mut leaves = Vec::new();
        let mut open: Vec<&str> = Vec::new();
        let mut rest = document.strip_prefix('\u{feff}').unwrap_or(document);
        let mut rooted = false;
        // Whether the last tag opened an element, so that text may follow.
        let mut fresh = false;
        while let Some((text, after)) = rest.split_once('<') {
            if let Some(declaration) = after.strip_prefix('?') {
                if rooted || !text.trim().is_empty() {
                    return None;
                }
                rest = declaration.split_once("?>")?.1;
                continue;
            }
            let (tag, after) = after.split_once('>')?;
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                let way = open.get(1..)?.join("/");
                if open.pop()? != name.trim_end() {
                    return None;
                }
                if fresh {
                    leaves.push((way, decoded(text)?));
                } else if !text.trim().is_empty() {
                    return None;
                }
                fresh = false;
                continue;
            }
            let (tag, empty) = match tag.strip_suffix('/') {
                Some(tag) => (tag, true),
                None => (tag, false),
            };
            let name = tag.split_ascii_whitespace().next()?;
            let sound = tag.starts_with(name)
                && name.bytes().all(|b| b.is_ascii_alphanumeric())
                && text.trim().is_empty()
                && open.len() < DEEPEST
                && (!rooted || !open.is_empty());
            if !sound {
                return None;
            }
            (rooted, fresh) = (true, !empty);
            if !empty {
                open.push(name);
            }
        }
        (rooted && open.is_empty() && rest.trim().is_empty()).then_some(Self(leaves))
    }

    /// The text of the element at `way`, the root left out. `None` if there is none, or more than one.
    pub fn text(&self, way: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(of, _)| of == way);
        let (_, text) = found.next()?;
        found.next().is_none().then_some(text.as_str())
    }
}

/// The text with its entities replaced.
fn decoded(text: &str) -> Option<Zeroizing<String>> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (name, after) = after.split_once(';')?;
        plain.push_str(before);
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = name.strip_prefix('#')?;
                match number.strip_prefix('x') {
                    Some(hex) => char::from_u32(u32::from_str_radix(hex, 16).ok()?)?,
                    None => char::from_u32(number.parse().ok()?)?,
                }
            }
        });
        rest = after;
    }
    plain.push_str(rest);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_answer_of_sts() {
        let leaves = Leaves::read(
            "\u{feff}<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n\
             <Error>\n<Type>Sender</Type><Code>AccessDenied</Code>\
             <Message>a &lt;b&gt; &amp;amp; &quot;c&apos; &#233;&#xE9;</Message><Detail/></Error >\n\
             <RequestId>r</RequestId></ErrorResponse>\n",
        )
        .unwrap();
        assert_eq!(leaves.text("Error/Code"), Some("AccessDenied"));
        assert_eq!(leaves.text("Error/Message"), Some("a <b> &amp; \"c' éé"));
        assert_eq!(leaves.text("RequestId"), Some("r"));
        for way in [
            "Error",
            "Code",
            "Error/Detail",
            "ErrorResponse/RequestId",
            "",
        ] {
            assert_eq!(leaves.text(way), None, "{way}");
        }
        assert_eq!(Leaves::read("<a><b></b></a>").unwrap().text("b"), Some(""));
    }

    #[test]
    fn an_element_that_comes_twice_is_none() {
        let leaves = Leaves::read("<a><b>1</b><b>2</b></a>").unwrap();
        assert_eq!(leaves.text("b"), None);
    }

    #[test]
    fn refuses_whatever_is_not_plain_and_whole() {
        for document in [
            "",
            "text",
            "<?xml version=\"1.0\"?>",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a></a>text",
            "text<a></a>",
            "<a>text<b></b></a>",
            "<a><b></b>text</a>",
            "<a><b>&nbsp;</b></a>",
            "<a><b>&#xD800;</b></a>",
            "<a><b>&amp</b></a>",
            "<!DOCTYPE a><a></a>",
            "<a><![CDATA[x]]></a>",
            "< a></a>",
            "<a><b",
            "<html><br><p>Log in</p></html>",
            "<a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a>",
        ] {
            assert!(Leaves::read(document).is_none(), "{document}");
        }
    }
}

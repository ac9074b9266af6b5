//! Errors as values: what happened, where, and what to do about it.
//!
//! A [`Problem`] is the part that is known beforehand: a fixed text that can be searched for, and a
//! hint. All of them stand in [`problem`], and docs/troubleshooting.md has an entry for each. An
//! [`Error`] adds what is known only when it happens: the server's own code and words, the place, and
//! whatever makes the hint more exact.

use std::fmt;

/// A kind of failure, known beforehand.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// Short and stable, for programs: `kms-access-denied`.
    pub code: &'static str,
    /// What happened, in words that never change, so that they can be searched for.
    pub summary: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}

/// Declares problems as statics, and `ALL`, the list of them.
#[macro_export]
macro_rules! problems {
    ($($name:ident $code:literal: $summary:literal, $hint:literal;)+) => {
        $(
            #[doc = concat!("`", $code, "`: ", $summary, ".")]
            pub static $name: $crate::error::Problem =
                $crate::error::Problem { code: $code, summary: $summary, hint: $hint };
        )+
        /// Every problem of this catalogue, in the order of a run.
        pub static ALL: &[&$crate::error::Problem] = &[$(&$name),+];
    };
}

/// The catalogue of everything that can go wrong, in the order of a run.
pub mod problem {
    crate::problems! {
        // Inputs.
        APP_ID_MISSING "app-id-missing": "neither client-id nor app-id is set",
            "Set client-id (or app-id) to the App's client ID, shown on the App's settings page. If the workflow takes it from a variable or a secret, that one is empty here: check its name, its environment, and that the job may see it (pull requests from forks and from Dependabot see no secrets).";
        APP_ID_INVALID "app-id-invalid": "the App's id is malformed",
            "Give the client ID (like Iv23liAbCdEf) or the numeric App ID from the App's settings page, and nothing else.";
        KMS_KEY_ID_MISSING "kms-key-id-missing": "kms-key-id is not set",
            "Set kms-key-id to the KMS key that holds the App's private key: a key id, a key ARN, an alias name (alias/...) or an alias ARN. If it comes from a variable or a secret, that one is empty here.";
        KMS_KEY_ID_INVALID "kms-key-id-invalid": "kms-key-id is malformed",
            "Give a key id, a key ARN, an alias name (alias/...) or an alias ARN; several go on lines of their own.";
        OWNER_INVALID "owner-invalid": "owner is malformed",
            "Give the login of one user or organisation: letters, digits and single hyphens, without a host or a slash.";
        REPOSITORY_INVALID "repository-invalid": "a repository's name is malformed",
            "Give names (repo-a) or owner/name, separated by commas or newlines.";
        REPOSITORY_OWNER_MISMATCH "repository-owner-mismatch": "a repository belongs to another owner",
            "One token covers one installation, so one owner. Drop the entry, correct owner, or use the action once for each owner.";
        TOO_MANY_REPOSITORIES "too-many-repositories": "more than 500 repositories are listed",
            "GitHub narrows a token to at most 500 repositories. List fewer, or give owner alone for the whole installation.";
        REPOSITORY_ID_INVALID "repository-id-invalid": "repository-ids is malformed",
            "Give numeric repository ids, separated by commas or newlines; `gh api repos/OWNER/REPO --jq .id` prints one.";
        INSTALLATION_ID_INVALID "installation-id-invalid": "installation-id is malformed",
            "Give the number at the end of the installation's URL, and nothing else.";
        ENTERPRISE_INVALID "enterprise-invalid": "enterprise is malformed",
            "Give the enterprise's slug, as it stands in https://github.com/enterprises/SLUG.";
        SCOPE_CONFLICT "scope-conflict": "two inputs exclude each other",
            "Keep the one that says what the token is for.";
        CURRENT_REPOSITORY_UNKNOWN "current-repository-unknown": "there is no current repository to fall back on",
            "Set owner or repositories; outside a workflow nothing says which repository is meant.";
        PERMISSIONS_MISSING "permissions-missing": "no permission is asked for",
            "Add at least one permission-* input, such as permission-contents: read. A token without narrowing would hold everything the App was ever granted.";
        PERMISSION_NAME_INVALID "permission-name-invalid": "a permission's name is malformed",
            "Use GitHub's names with hyphens or underscores, such as permission-pull-requests.";
        PERMISSION_LEVEL_INVALID "permission-level-invalid": "a permission has no such level",
            "Use one of the levels named; leave the input out to ask for no access.";
        PERMISSION_GIVEN_TWICE "permission-given-twice": "a permission is given twice, at two levels",
            "Give it once, at the level that the job needs.";
        BOOLEAN_INVALID "boolean-invalid": "a switch is neither true nor false",
            "Write true or false.";
        API_URL_INVALID "api-url-invalid": "github-api-url is malformed",
            "Give an https URL such as https://api.github.com, https://HOST/api/v3 or https://api.SUB.ghe.com, without credentials, query or fragment.";
        REGION_MISSING "region-missing": "no AWS region is known",
            "Give kms-key-id as an ARN, which names its region, or set aws-region, AWS_REGION or AWS_DEFAULT_REGION.";
        REGION_INVALID "region-invalid": "the AWS region is malformed",
            "Give a region's code, such as eu-central-1.";
        ENDPOINT_INVALID "endpoint-invalid": "an AWS endpoint override is malformed",
            "Give an https URL without credentials, query or fragment (plain http is taken for loopback alone), or unset the variable.";
        PROXY_INVALID "proxy-invalid": "a proxy variable is malformed",
            "Give http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, or unset the variable; NO_PROXY lists hosts that are reached without it.";
        CA_BUNDLE_UNREADABLE "ca-bundle-unreadable": "a file of CA certificates cannot be used",
            "Correct the variable that names it, or unset it; the file must be readable PEM.";
        ROLE_INVALID "role-invalid": "role-to-assume is malformed",
            "Give the role's ARN, such as arn:aws:iam::123456789012:role/app-token.";
        VALUE_MULTILINE "value-multiline": "a value holds a line break where none belongs",
            "Something between this machine and the server changed the answer; do not trust this network.";
        RUNNER_FILE_UNWRITABLE "runner-file-unwritable": "a file of the runner cannot be written",
            "Run this as a step of a workflow; the runner sets GITHUB_OUTPUT and GITHUB_STATE.";

        // AWS credentials.
        CREDENTIALS_MISSING "credentials-missing": "no AWS credentials were found",
            "Set role-to-assume (and permissions: id-token: write), or run aws-actions/configure-aws-credentials in an earlier step.";
        CREDENTIALS_INCOMPLETE "credentials-incomplete": "the AWS credentials are incomplete",
            "Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither. A secret that the job may not see arrives as an empty variable.";
        CREDENTIALS_SOURCE_BROKEN "credentials-source-broken": "a configured source of AWS credentials does not work",
            "Repair this source or remove its configuration; no other source is tried in its place, since that could sign as somebody else.";
        OIDC_UNAVAILABLE "oidc-unavailable": "the job may not ask for an OIDC token",
            "Add `permissions: id-token: write` to the job. Pull requests from forks cannot have it.";
        OIDC_REFUSED "oidc-refused": "the runner's OIDC endpoint gave no token",
            "Run the job again; if it stays, look at GitHub's status page.";
        STS_REFUSED "sts-refused": "AWS STS refused to give the role",
            "Check, in this order: the role's ARN; that its trust policy names the provider token.actions.githubusercontent.com; that the audience there equals aws-audience; that the condition on sub, repository_id or job_workflow_ref fits this repository (new and renamed repositories carry numeric ids in sub).";
        STS_UNAVAILABLE "sts-unavailable": "AWS STS failed on its side",
            "Wait and run again; https://health.aws.amazon.com/health/status tells of outages.";
        STS_UNUSABLE "sts-unusable": "AWS STS gave an answer that makes no sense",
            "Something between this machine and AWS changed the answer, or the endpoint override points elsewhere.";

        // KMS.
        KMS_ACCESS_DENIED "kms-access-denied": "KMS denied kms:Sign on the key",
            "Allow kms:Sign on this key to this principal, in the key policy or in the role's policy; where the key policy pins them, the algorithm is RSASSA_PKCS1_V1_5_SHA_256 and the message type RAW.";
        KMS_KEY_NOT_FOUND "kms-key-not-found": "KMS knows no such key",
            "Check kms-key-id (an alias is written alias/NAME), the region and the account: a key or alias lives in one region, and another account's key needs an ARN.";
        KMS_KEY_DISABLED "kms-key-disabled": "the KMS key is disabled",
            "Enable the key: aws kms enable-key --key-id KEY.";
        KMS_KEY_STATE "kms-key-state": "the KMS key is in no state to sign",
            "A key pending import needs its material imported (again); a key pending deletion can be kept with aws kms cancel-key-deletion.";
        KMS_KEY_USAGE "kms-key-usage": "the KMS key is of the wrong kind",
            "GitHub's App keys are RSA_2048 with usage SIGN_VERIFY; create such a key with origin EXTERNAL and import the App's private key.";
        KMS_CREDENTIALS_EXPIRED "kms-credentials-expired": "the AWS credentials have expired",
            "Assume the role again, right before this step; role-to-assume does it by itself.";
        KMS_CREDENTIALS_UNKNOWN "kms-credentials-unknown": "AWS does not know these credentials",
            "Check AWS_ACCESS_KEY_ID; temporary credentials need AWS_SESSION_TOKEN as well, and each partition (aws, aws-cn, aws-us-gov) has its own.";
        KMS_SIGNATURE_WRONG "kms-signature-wrong": "AWS did not accept the request's signature",
            "Check AWS_SECRET_ACCESS_KEY (a secret with a stray space or newline is the usual cause) and the machine's clock.";
        KMS_THROTTLED "kms-throttled": "KMS is throttling requests",
            "Wait and run again, or have the quota for RSA operations in this region raised; a second key in another region takes over by itself.";
        KMS_UNAVAILABLE "kms-unavailable": "KMS failed on its side",
            "Wait and run again, or give a second key in another region: the next one in kms-key-id takes over by itself.";
        KMS_REFUSED "kms-refused": "KMS refused to sign",
            "The code and the words are AWS's own; the Sign operation's documentation lists them.";
        KMS_UNUSABLE "kms-unusable": "KMS gave an answer that makes no sense",
            "Something between this machine and AWS changed the answer (a captive portal, a proxy), or AWS_ENDPOINT_URL_KMS points elsewhere.";
        KMS_ALL_KEYS_FAILED "kms-all-keys-failed": "none of the KMS keys could sign",
            "Each key's own error stands above; the first key's comes first.";

        // GitHub.
        APP_UNKNOWN "app-unknown": "GitHub knows no such App",
            "Check client-id (or app-id), and that github-api-url is the host where the App lives.";
        APP_KEY_WRONG "app-key-wrong": "the KMS key is not a key of this App",
            "Compare the key's fingerprint with those on the App's settings page; perhaps kms-key-id is another App's, or the key was deleted from the App.";
        APP_JWT_REFUSED "app-jwt-refused": "GitHub refused the App's JWT",
            "The words are GitHub's own. If they speak of time, set this machine's clock.";
        NOT_INSTALLED "not-installed": "the App is not installed on this account",
            "Install the App there (its settings page, Install App), or correct owner.";
        INSTALLATION_NOT_FOUND "installation-not-found": "the App has no such installation",
            "Check installation-id: the number at the end of the installation's URL, of this App, on this host.";
        INSTALLATION_SUSPENDED "installation-suspended": "the installation is suspended",
            "An owner of the account can unsuspend it in the account's settings, under GitHub Apps.";
        REPOSITORY_NOT_IN_INSTALLATION "repository-not-in-installation": "a repository is not within the installation's reach",
            "Add it in the account's settings under GitHub Apps, or correct its name; a renamed repository needs its new name here.";
        PERMISSION_NOT_GRANTED "permission-not-granted": "the installation lacks a permission that was asked for",
            "Grant it on the App's settings page, then have an owner of the account accept the new permissions; or ask for less.";
        GITHUB_REQUEST_REFUSED "github-request-refused": "GitHub refused the request",
            "The status and the words are GitHub's own.";
        GITHUB_RATE_LIMITED "github-rate-limited": "GitHub's rate limit is used up",
            "Run again after the time named; many jobs that start at once share one limit.";
        GITHUB_UNAVAILABLE "github-unavailable": "GitHub failed on its side",
            "Run again; https://www.githubstatus.com tells of outages.";
        GITHUB_UNUSABLE "github-unusable": "GitHub's answer makes no sense",
            "Something between this machine and GitHub answered in its place (a captive portal, a proxy), or github-api-url is not an API: it is https://api.github.com or https://HOST/api/v3.";
        TOKEN_REFUSED "token-refused": "GitHub refused the token",
            "It may be revoked or expired already, or belong to another host.";

        // The network, whoever is asked.
        NETWORK_UNREACHABLE "network-unreachable": "the server could not be reached",
            "Check the name, the network, and the proxy variables (HTTPS_PROXY, NO_PROXY).";
        NETWORK_TLS "network-tls": "the server's certificate was not accepted",
            "If a proxy of your company re-signs traffic, name its CA in NODE_EXTRA_CA_CERTS; otherwise somebody stands in between.";
        NETWORK_TIMEOUT "network-timeout": "the server did not answer in time",
            "Run again; if it stays, a firewall may be swallowing the traffic.";
        NETWORK_PROXY "network-proxy": "the proxy refused the connection",
            "Check the proxy's address and its credentials (http://USER:PASSWORD@HOST:PORT), or list the host in NO_PROXY.";
        ANSWER_TOO_LARGE "answer-too-large": "the answer is larger than 1 MiB",
            "No answer of this kind is; something else answered in the server's place.";
        INTERNAL "internal": "the program failed in a way that it should not",
            "Please report it with the debug log (run the job again with debug logging on); it holds no secrets.";
    }
}

/// What went wrong in one run.
#[derive(Debug, Clone)]
pub struct Error {
    /// The kind of failure.
    pub problem: &'static Problem,
    /// What this one was about: the value at fault, the server's own code and words. One line.
    pub detail: String,
    /// Where: the server asked, or the input or file at fault. May be empty.
    pub place: String,
    /// A hint for exactly this case. Stands before the problem's own; may be empty.
    pub advice: String,
    /// What led to it, outermost first, one line each.
    pub causes: Vec<String>,
}

/// The result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this kind about `detail`.
    pub fn new(problem: &'static Problem, detail: impl Into<String>) -> Self {
        Self {
            problem,
            detail: detail.into(),
            place: String::new(),
            advice: String::new(),
            causes: Vec::new(),
        }
    }

    /// The same, happened at `place`.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = place.into();
        self
    }

    /// The same, with a hint for exactly this case.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// The same, caused by `cause`.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Whether it is of this kind.
    pub fn is(&self, problem: &Problem) -> bool {
        std::ptr::eq(self.problem, problem)
    }

    /// What to do: the exact hint, then the general one.
    pub fn hint(&self) -> String {
        match self.advice.as_str() {
            "" => self.problem.hint.to_owned(),
            advice => format!("{advice} {}", self.problem.hint),
        }
    }

    /// The whole error for a person: a line each for what happened, its causes, and what to do.
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        for cause in &self.causes {
            text.push_str("\ncaused by: ");
            text.push_str(cause);
        }
        text.push_str("\nhint: ");
        text.push_str(&self.hint());
        text
    }
}

/// One line: what happened, about what, and where.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem.summary)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        if !self.place.is_empty() {
            write!(f, " ({})", self.place)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// How much of a server's words is passed on, in characters: enough for any real message, too little to
/// flood a log.
const WORDS: usize = 400;

/// A server's words made fit for a line of a log: one line, no control characters, not too long.
pub fn words(text: &str) -> String {
    let mut line = String::new();
    for (count, part) in text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|part| !part.is_empty())
        .enumerate()
    {
        if count > 0 {
            line.push(' ');
        }
        line.push_str(part);
        if line.len() > WORDS * 4 {
            break;
        }
    }
    match line.char_indices().nth(WORDS) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_where_why_and_what_to_do() {
        let error = Error::new(
            &problem::KMS_KEY_DISABLED,
            "DisabledException: key is disabled",
        )
        .at("alias/github-app in eu-west-1")
        .because("the second try")
        .advise("It is alias/github-app.");
        assert_eq!(
            error.report(),
            "the KMS key is disabled: DisabledException: key is disabled (alias/github-app in eu-west-1)\n\
             caused by: the second try\n\
             hint: It is alias/github-app. Enable the key: aws kms enable-key --key-id KEY."
        );
    }

    #[test]
    fn every_problem_has_its_own_code_and_words() {
        for (index, problem) in problem::ALL.iter().enumerate() {
            assert!(
                problem
                    .code
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-')
            );
            assert!(!problem.summary.ends_with('.'), "{}", problem.summary);
            assert!(problem.hint.ends_with('.'), "{}", problem.hint);
            for other in &problem::ALL[index + 1..] {
                assert_ne!(problem.code, other.code);
                assert_ne!(problem.summary, other.summary);
            }
        }
    }

    #[test]
    fn words_become_one_short_line() {
        assert_eq!(
            words(" a\r\n::error::b\u{1b}[31m\tc "),
            "a ::error::b [31m c"
        );
        assert_eq!(words(&"x".repeat(1000)).len(), WORDS + 3);
        assert_eq!(words(&"é ".repeat(1000)).chars().count(), WORDS + 3);
    }
}

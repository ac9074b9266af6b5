//! What can go wrong here and nowhere else, and what the library's hints mean on a command line.
//!
//! The library speaks of the inputs of a workflow. Where its hint would send a person at a terminal the
//! wrong way, [`hint`] has one that does not.

use app_token::error::{Error, Problem, problem};

app_token::problems! {
    // Input and output.
    NOT_CONFIRMED "not-confirmed": "nothing was changed, since nobody agreed to it",
        "Run it again and answer yes, or add --yes where nobody can answer.";
    OUTPUT_FAILED "output-failed": "the result could not be written",
        "Check where standard output goes.";
    INPUT_FAILED "input-failed": "standard input could not be read",
        "Check where standard input comes from.";
    TOKEN_MISSING "token-missing": "no token was given",
        "Write it to standard input, or set GH_TOKEN.";
    TOKEN_MALFORMED "token-malformed": "what was given is no token",
        "Give the token alone: one line, no spaces.";
    COMMAND_NOT_STARTED "command-not-started": "the command could not be started",
        "Check its name and that it may be run; what follows -- is taken as it is, without a shell.";
    CACHE_UNUSABLE "cache-unusable": "the token's cache file cannot be used",
        "Correct the folder (XDG_RUNTIME_DIR), which must be yours alone, or use --no-cache.";
    CREDENTIAL_REQUEST_MALFORMED "credential-request-malformed": "git's request makes no sense",
        "This command is for git to call: git config credential.helper '!app-token git-credential ...'.";

    // Private keys.
    PEM_UNREADABLE "pem-unreadable": "the private key's file cannot be read",
        "Check the path; - stands for standard input.";
    PEM_NOT_PEM "pem-not-pem": "the private key is not in PEM form",
        "Give the .pem file as GitHub hands it out; it starts with -----BEGIN RSA PRIVATE KEY-----.";
    PEM_ENCRYPTED "pem-encrypted": "the private key is encrypted",
        "Decrypt it into a pipe: openssl pkey -in FILE | app-token key import --pem - ... (three dots stand for the other options).";
    PEM_PUBLIC_KEY "pem-public-key": "there is a public key where the private key should be",
        "Give the .pem file that GitHub handed out when the key was made; GitHub keeps the public half alone and cannot hand the private one out again.";
    PEM_NOT_A_KEY "pem-not-a-key": "there is something else where the private key should be",
        "Give the .pem file as GitHub hands it out.";
    PEM_NOT_RSA "pem-not-rsa": "the private key is not an RSA key",
        "GitHub's App keys are RSA with 2048 bits; this one is not one of them.";
    PEM_WRONG_SIZE "pem-wrong-size": "the private key does not have 2048 bits",
        "GitHub's App keys are RSA with 2048 bits; this one is not one of them.";
    PEM_SEVERAL "pem-several": "there is more than one key in the file",
        "Give a file with the one key.";
    PEM_DAMAGED "pem-damaged": "the private key is damaged",
        "Fetch the file again, or make a new key on the App's settings page.";

    // Keys in KMS.
    ALIAS_INVALID "alias-invalid": "the alias is malformed",
        "Give alias/NAME, with letters, digits, slashes, hyphens and underscores; alias/aws/ is AWS's own.";
    ALIAS_TAKEN "alias-taken": "the alias belongs to another key",
        "To replace that key by this one: app-token key rotate. To keep both, give another alias.";
    ALIAS_MISSING "alias-missing": "there is no such alias",
        "Give the alias that the workflows use, in the region where it is; the first key of an alias is brought in by app-token key import.";
    KEY_UNSUITABLE "key-unsuitable": "the KMS key cannot take an App's private key",
        "It must be RSA_2048, SIGN_VERIFY, with origin EXTERNAL. Without --key-id a fitting one is made.";
    KEY_HAS_OTHER_MATERIAL "key-has-other-material": "the KMS key already holds another private key",
        "A KMS key takes the same material for ever. Leave --key-id out to have a new key made.";
    KEY_NOT_READY "key-not-ready": "the KMS key did not become ready in time",
        "Run the same command again: it goes on from here.";
    KEY_CHECK_FAILED "key-check-failed": "the KMS key's signature does not fit the private key",
        "The alias was not touched. Please report this; the key named can be deleted.";
    KMS_RIGHT_MISSING "kms-right-missing": "a right for KMS is missing",
        "Have it granted to the principal named, in its IAM policy (or in the key's policy), and run the same command again: it goes on from here.";
    KMS_OPERATION_REFUSED "kms-operation-refused": "KMS refused an operation",
        "The code and the words are AWS's own. What exists so far is named above; the same command goes on from here.";
    NOTHING_TO_UNDO "nothing-to-undo": "there is no rotation to undo",
        "The key behind the alias does not say which one stood there before; aws kms update-alias sets any.";
    KEY_OF_ANOTHER_APP "key-of-another-app": "GitHub does not take the new key for this App",
        "The alias was not touched. Check --client-id, and that the key was made on this App's settings page and not deleted there.";

    // Policies.
    ARN_INVALID "arn-invalid": "an ARN is malformed",
        "Give it whole, such as arn:aws:iam::123456789012:role/app-token.";
    REPOSITORY_ID_UNKNOWN "repository-id-unknown": "the repository's number could not be looked up",
        "Give it with --repository-id; gh api repos/OWNER/REPO --jq .id prints it.";
    TRUST_INVALID "trust-invalid": "the trust policy would be malformed",
        "Correct the option named.";
}

/// What to do, in the words of the command line.
pub fn hint(error: &Error) -> String {
    let ours = OURS
        .iter()
        .find(|(problem, _)| error.is(problem))
        .map_or(error.problem.hint, |(_, hint)| hint);
    match error.advice.as_str() {
        "" => ours.to_owned(),
        advice => format!("{advice} {ours}"),
    }
}

static OURS: &[(&Problem, &str)] = &[
    (
        &problem::APP_ID_MISSING,
        "Give --client-id (or --app-id), or set APP_TOKEN_CLIENT_ID: the App's client ID from its settings page.",
    ),
    (
        &problem::KMS_KEY_ID_MISSING,
        "Give --kms-key-id, or set APP_TOKEN_KMS_KEY_ID: a key id, a key ARN, an alias name (alias/...) or an alias ARN.",
    ),
    (
        &problem::KMS_KEY_ID_INVALID,
        "Give a key id, a key ARN, an alias name (alias/...) or an alias ARN; several are separated by commas.",
    ),
    (
        &problem::PERMISSIONS_MISSING,
        "Give at least one, such as --permission contents=read; app-token permissions lists them. A token without narrowing would hold everything the App was ever granted.",
    ),
    (
        &problem::PERMISSION_NAME_INVALID,
        "Write NAME=LEVEL, such as --permission pull-requests=write; app-token permissions lists them.",
    ),
    (
        &problem::PERMISSION_LEVEL_INVALID,
        "Use one of the levels named; leave the permission out to ask for no access.",
    ),
    (
        &problem::CURRENT_REPOSITORY_UNKNOWN,
        "Say what the token is for: --owner, --repositories OWNER/NAME, --installation-id or --enterprise. (In a GitHub Actions job GITHUB_REPOSITORY is the fallback.)",
    ),
    (
        &problem::TOO_MANY_REPOSITORIES,
        "GitHub narrows a token to at most 500 repositories. List fewer, or give --owner alone for the whole installation.",
    ),
    (
        &problem::REPOSITORY_OWNER_MISMATCH,
        "One token covers one installation, so one owner. Drop the entry, correct --owner, or make a token for each owner.",
    ),
    (
        &problem::SCOPE_CONFLICT,
        "Keep the option that says what the token is for; environment variables (APP_TOKEN_...) count as options.",
    ),
    (
        &problem::API_URL_INVALID,
        "Give --github-api-url as an https URL such as https://api.github.com, https://HOST/api/v3 or https://api.SUB.ghe.com, without credentials, query or fragment.",
    ),
    (
        &problem::REGION_MISSING,
        "Give the key as an ARN, which names its region, or give --aws-region or set AWS_REGION.",
    ),
    (
        &problem::CREDENTIALS_MISSING,
        "Log in to AWS in the way this machine does it: AWS_PROFILE, aws configure export-credentials, a role of the machine, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    ),
    (
        &problem::CREDENTIALS_INCOMPLETE,
        "Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither; temporary credentials need AWS_SESSION_TOKEN as well.",
    ),
    (&problem::KMS_CREDENTIALS_EXPIRED, "Log in to AWS again."),
    (
        &problem::RUNNER_FILE_UNWRITABLE,
        "--format github writes to the file that GITHUB_OUTPUT names: run it in a step of a workflow.",
    ),
    (
        &problem::NETWORK_TLS,
        "If a proxy of your company re-signs traffic, name its CA's file in SSL_CERT_FILE; otherwise somebody stands in between.",
    ),
    (
        &problem::INTERNAL,
        "Please report it with the output of the same command with --verbose; it holds no secrets.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_its_own_code_and_words() {
        let all: Vec<_> = ALL.iter().chain(problem::ALL).collect();
        for (index, problem) in all.iter().enumerate() {
            assert!(problem.hint.ends_with(['.', ')']), "{}", problem.hint);
            assert!(!problem.summary.ends_with('.'), "{}", problem.summary);
            for other in &all[index + 1..] {
                assert_ne!(problem.code, other.code);
                assert_ne!(problem.summary, other.summary);
            }
        }
    }

    #[test]
    fn no_hint_sends_a_person_to_a_workflow_s_inputs() {
        for problem in problem::ALL
            .iter()
            .filter(|problem| problem.code != "oidc-unavailable")
        {
            let hint = hint(&Error::new(problem, ""));
            assert!(!hint.contains("permission-"), "{}: {hint}", problem.code);
        }
    }
}

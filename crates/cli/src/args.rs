//! The command line, as clap reads it. Every option can come from the environment as well; the option
//! wins.

use crate::native::console::Colour;
use clap::builder::styling::{AnsiColor, Effects, Styles};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

/// Shown after the general help.
const ABOUT: &str = "\
Examples:
  Bring the App's private key into KMS, once:
    app-token key import --pem my-app.private-key.pem --alias alias/github-app

  See whether everything is in order:
    app-token doctor --client-id Iv23liAbCdEf --kms-key-id alias/github-app

  Run a command with a token that ends with it:
    app-token exec -p contents=read -r my-org/repo -- gh release list -R my-org/repo

Exit status:
  0  done
  1  failed; the message says why and what to do
  2  the command line is wrong
  3  nothing was changed, since nobody agreed to it
  exec passes on the status of its command; 125 when it failed itself, 126 and 127 when the
  command could not be started, 128 and the signal's number when a signal ended it.

Options can be given in the environment too, as APP_TOKEN_... (each help names them).";

/// Short-lived GitHub App tokens, through a private key that never leaves AWS KMS.
#[derive(Debug, Parser)]
#[command(
    name = "app-token",
    version,
    about,
    after_long_help = ABOUT,
    after_help = "--help (not -h) has examples, exit statuses and the environment.",
    styles = STYLES,
    max_term_width = 100,
    propagate_version = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// Tell of every request, without secrets.
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "quiet",
        help_heading = "Messages"
    )]
    pub verbose: bool,

    /// Tell of errors and warnings alone.
    #[arg(short, long, global = true, help_heading = "Messages")]
    pub quiet: bool,

    /// Colour.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Messages",
        hide_possible_values = true,
        help = "Colour: auto, always or never"
    )]
    pub color: Colour,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a token and print it.
    Create(Create),
    /// Run a command with a token in GH_TOKEN and GITHUB_TOKEN, and revoke the token after.
    Exec(Exec),
    /// Serve git as a credential helper.
    GitCredential(GitCredential),
    /// Revoke a token, read from standard input or GH_TOKEN.
    Revoke(Revoke),
    /// List the permissions that a token can have.
    Permissions(Permissions),
    /// Bring private keys into KMS, and change them.
    #[command(subcommand, arg_required_else_help = true)]
    Key(Key),
    /// Print the policies that AWS needs, or the whole stack.
    #[command(subcommand, arg_required_else_help = true)]
    Policy(Policy),
    /// Check the whole chain from credentials to token, and change nothing.
    Doctor(Doctor),
    /// Print the completions for a shell.
    Completions(Completions),
    /// Print the manual page, or write one for each command.
    Man(Man),
}

/// Whose App, which key.
#[derive(Args, Clone, Debug, Default)]
pub struct AppOptions {
    /// The App's client ID, from its settings page.
    #[arg(
        long,
        env = "APP_TOKEN_CLIENT_ID",
        value_name = "ID",
        hide_env_values = true,
        help_heading = "App and key"
    )]
    pub client_id: Option<String>,

    /// The App's numeric ID, where there is no client ID (which wins).
    #[arg(
        long,
        env = "APP_TOKEN_APP_ID",
        value_name = "ID",
        hide_env_values = true,
        help_heading = "App and key"
    )]
    pub app_id: Option<String>,

    /// The KMS key: a key id, a key ARN, alias/NAME or an alias ARN. Several, by commas, in order of
    /// preference: the next takes over where one cannot sign.
    #[arg(
        long,
        env = "APP_TOKEN_KMS_KEY_ID",
        value_name = "KEY",
        hide_env_values = true,
        help_heading = "App and key"
    )]
    pub kms_key_id: Vec<String>,
}

/// Which AWS.
#[derive(Args, Clone, Debug, Default)]
pub struct AwsOptions {
    /// The region of keys that are not named by an ARN [else: AWS_REGION, AWS_DEFAULT_REGION].
    #[arg(
        long,
        env = "APP_TOKEN_AWS_REGION",
        value_name = "REGION",
        hide_env_values = true,
        help_heading = "AWS"
    )]
    pub aws_region: Option<String>,

    /// A role to assume with the OIDC token of a GitHub Actions job.
    #[arg(
        long,
        env = "APP_TOKEN_ROLE_TO_ASSUME",
        value_name = "ARN",
        hide_env_values = true,
        help_heading = "AWS"
    )]
    pub role_to_assume: Option<String>,

    /// The audience of that OIDC token.
    #[arg(
        long,
        env = "APP_TOKEN_AWS_AUDIENCE",
        value_name = "TEXT",
        hide_env_values = true,
        help_heading = "AWS"
    )]
    pub aws_audience: Option<String>,
}

/// Which GitHub.
#[derive(Args, Clone, Debug, Default)]
pub struct GitHubOptions {
    /// GitHub's API [else: GITHUB_API_URL, else GitHub.com].
    #[arg(long, env = "APP_TOKEN_GITHUB_API_URL", value_name = "URL", value_hint = ValueHint::Url, hide_env_values = true, help_heading = "GitHub")]
    pub github_api_url: Option<String>,
}

/// What the token is for.
#[derive(Args, Clone, Debug, Default)]
pub struct ScopeOptions {
    /// The user or organisation that the App is installed on.
    #[arg(
        long,
        env = "APP_TOKEN_OWNER",
        value_name = "LOGIN",
        hide_env_values = true,
        help_heading = "What the token is for"
    )]
    pub owner: Option<String>,

    /// Repositories, as NAME or OWNER/NAME, by commas or by repeating the option.
    #[arg(
        short,
        long,
        env = "APP_TOKEN_REPOSITORIES",
        value_name = "NAMES",
        hide_env_values = true,
        help_heading = "What the token is for"
    )]
    pub repositories: Vec<String>,

    /// Repositories by their numbers.
    #[arg(
        long,
        env = "APP_TOKEN_REPOSITORY_IDS",
        value_name = "IDS",
        hide_env_values = true,
        help_heading = "What the token is for"
    )]
    pub repository_ids: Vec<String>,

    /// The enterprise that the App is installed on.
    #[arg(
        long,
        env = "APP_TOKEN_ENTERPRISE",
        value_name = "SLUG",
        hide_env_values = true,
        help_heading = "What the token is for"
    )]
    pub enterprise: Option<String>,

    /// The installation by its number; saves the look-up.
    #[arg(
        long,
        env = "APP_TOKEN_INSTALLATION_ID",
        value_name = "ID",
        hide_env_values = true,
        help_heading = "What the token is for"
    )]
    pub installation_id: Option<String>,

    /// A permission and its level, such as contents=read; by commas or by repeating the option.
    #[arg(
        short,
        long = "permission",
        env = "APP_TOKEN_PERMISSIONS",
        value_name = "NAME=LEVEL",
        hide_env_values = true,
        help_heading = "What the token is for"
    )]
    pub permissions: Vec<String>,
}

/// All that decides what token is made.
#[derive(Args, Clone, Debug, Default)]
pub struct TokenOptions {
    #[command(flatten)]
    pub app: AppOptions,
    #[command(flatten)]
    pub scope: ScopeOptions,
    #[command(flatten)]
    pub aws: AwsOptions,
    #[command(flatten)]
    pub github: GitHubOptions,

    /// Try the fresh token until GitHub takes it, at most 10 s: true or false.
    #[arg(
        long,
        env = "APP_TOKEN_WAIT_UNTIL_USABLE",
        value_name = "BOOL",
        num_args = 0..=1,
        default_missing_value = "true",
        require_equals = true,
        hide_env_values = true,
        help_heading = "GitHub"
    )]
    pub wait_until_usable: Option<String>,
}

/// How the token is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The token alone
    #[default]
    Token,
    /// All that is known of it
    Json,
    /// GH_TOKEN=... and GITHUB_TOKEN=..., for a file or a shell's `eval`
    Env,
    /// Into the outputs of a GitHub Actions step, masked
    Github,
}

const CREATE: &str = "\
Examples:
  app-token create --client-id Iv23liAbCdEf --kms-key-id alias/github-app \\
      --repositories my-org/repo -p contents=read -p issues=write

  Into a variable, and revoked when the script ends:
    GH_TOKEN=$(app-token create -r my-org/repo -p contents=read)
    export GH_TOKEN; trap 'app-token revoke' EXIT

The token lives for an hour. app-token exec revokes it by itself.";

#[derive(Args, Debug)]
#[command(after_help = CREATE)]
pub struct Create {
    #[command(flatten)]
    pub token: TokenOptions,

    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// Also say who the App is in a git history (not with --format token).
    #[arg(long)]
    pub git_identity: bool,
}

const EXEC: &str = "\
Examples:
  app-token exec -r my-org/repo -p contents=read -- gh release list -R my-org/repo
  app-token exec --owner my-org -p members=read -- sh -c 'gh api orgs/my-org/members'

The token lives for an hour at the most; a command that runs longer uses app-token
git-credential. Signals are passed on. The token is revoked when the command ends, however it
ends.";

#[derive(Args, Debug)]
#[command(after_help = EXEC)]
pub struct Exec {
    #[command(flatten)]
    pub token: TokenOptions,

    /// The command and its arguments, taken as they are.
    #[arg(last = true, required = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

const GIT_CREDENTIAL: &str = "\
Set it up for one host (git adds get, store or erase by itself):
  git config --global credential.https://github.com.helper \\
      '!app-token git-credential --client-id Iv23liAbCdEf --kms-key-id alias/github-app \
          -p contents=write'
  git config --global credential.https://github.com.useHttpPath true

With useHttpPath each token reaches only the repository that git asks for. Other hosts get no
answer. A token is used again while more than five minutes of it are left; it is kept in a
file that only you can read, in XDG_RUNTIME_DIR or a folder of your own.";

#[derive(Args, Debug)]
#[command(after_help = GIT_CREDENTIAL)]
pub struct GitCredential {
    #[command(flatten)]
    pub token: TokenOptions,

    /// Keep no token: make one each time.
    #[arg(long)]
    pub no_cache: bool,

    /// The host that git talks to, where it does not follow from the API's URL.
    #[arg(
        long,
        env = "APP_TOKEN_GIT_HOST",
        value_name = "HOST[:PORT]",
        hide_env_values = true,
        help_heading = "GitHub"
    )]
    pub git_host: Option<String>,

    /// What git wants. Other words are ignored, as git's protocol asks.
    #[arg(value_name = "get|store|erase")]
    pub operation: String,
}

/// Where a token is read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// Standard input if it holds something, else the environment
    #[default]
    Auto,
    /// Standard input
    Stdin,
    /// GH_TOKEN, else GITHUB_TOKEN
    Env,
}

const REVOKE: &str = "\
Examples:
  app-token revoke                     (with GH_TOKEN set)
  app-token revoke < token-file

A token that is revoked or expired already is no error.";

#[derive(Args, Debug)]
#[command(after_help = REVOKE)]
pub struct Revoke {
    #[command(flatten)]
    pub github: GitHubOptions,

    /// Where the token is.
    #[arg(long, value_enum, default_value_t)]
    pub from: From,
}

#[derive(Args, Debug)]
pub struct Permissions {
    /// Words that must occur in the name or in the description.
    pub search: Vec<String>,

    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Key {
    /// Bring an App's private key into a new KMS key.
    Import(KeyImport),
    /// Put a new private key behind an alias, or undo that.
    Rotate(KeyRotate),
}

/// What `key import` and `key rotate` share.
#[derive(Args, Clone, Debug, Default)]
pub struct ImportOptions {
    /// The alias that workflows name the key by.
    #[arg(long, value_name = "alias/NAME")]
    pub alias: String,

    /// A region; repeat the option for several, the first is the primary [else: AWS_REGION].
    #[arg(long, value_name = "REGION", value_delimiter = ',')]
    pub region: Vec<String>,

    /// One multi-Region key with replicas, instead of a key of its own in each region.
    #[arg(long)]
    pub multi_region: bool,

    /// A role that may sign; repeat the option for several. Without one, the account's IAM policies
    /// decide.
    #[arg(long, value_name = "ARN")]
    pub sign_role: Vec<String>,

    /// Ask nothing.
    #[arg(short, long, conflicts_with = "dry_run")]
    pub yes: bool,

    /// Show the plan and stop.
    #[arg(long)]
    pub dry_run: bool,
}

const KEY_IMPORT: &str = "\
Examples:
  app-token key import --pem my-app.private-key.pem --alias alias/github-app \\
      --sign-role arn:aws:iam::123456789012:role/app-token

  From a password manager, never on disk, in two regions:
    pass show my-app | app-token key import --pem - --alias alias/github-app \\
        --region eu-central-1 --region eu-west-1 --multi-region

The private key is wrapped here, and only KMS can unwrap it; it is in no argument, no file
and no log. If the import fails half-way, the same command goes on from there: the alias is
made last, so that no key looks ready and is not.

Rights needed: kms:CreateKey, TagResource, ListKeys, ListAliases, DescribeKey,
ListResourceTags, GetParametersForImport, ImportKeyMaterial, GetPublicKey, Sign,
GetKeyPolicy, PutKeyPolicy, CreateAlias; with --multi-region also kms:ReplicateKey and
iam:CreateServiceLinkedRole.";

#[derive(Args, Debug)]
#[command(after_help = KEY_IMPORT)]
pub struct KeyImport {
    /// The private key's file, as GitHub hands it out; - for standard input.
    // A key that was put here by mistake starts with hyphens; refused as an option, it would be shown.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, allow_hyphen_values = true)]
    pub pem: PathBuf,

    #[command(flatten)]
    pub import: ImportOptions,

    /// An EXTERNAL key that waits for its material, instead of a new one (one region only).
    #[arg(long, value_name = "KEY", conflicts_with = "multi_region")]
    pub key_id: Option<String>,
}

const KEY_ROTATE: &str = "\
Example:
  1. Make a new private key on the App's settings page.
  2. app-token key rotate --pem new.private-key.pem --alias alias/github-app \
         --client-id Iv23liAbCdEf
  3. When all is well, delete the old key on that page, and do what the output says.

Undo, until the old key is deleted:
  app-token key rotate --undo --alias alias/github-app --client-id Iv23liAbCdEf

The new key is checked against GitHub before the alias moves.";

#[derive(Args, Debug)]
#[command(after_help = KEY_ROTATE)]
pub struct KeyRotate {
    /// The new private key's file; - for standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, allow_hyphen_values = true, required_unless_present = "undo", conflicts_with = "undo")]
    pub pem: Option<PathBuf>,

    /// Put the key from before the last rotation back behind the alias.
    #[arg(long)]
    pub undo: bool,

    #[command(flatten)]
    pub import: ImportOptions,

    /// The App's client ID, to check the key against GitHub.
    #[arg(
        long,
        env = "APP_TOKEN_CLIENT_ID",
        value_name = "ID",
        hide_env_values = true
    )]
    pub client_id: Option<String>,

    /// The App's numeric ID, where there is no client ID.
    #[arg(
        long,
        env = "APP_TOKEN_APP_ID",
        value_name = "ID",
        hide_env_values = true
    )]
    pub app_id: Option<String>,

    #[command(flatten)]
    pub github: GitHubOptions,
}

/// How a policy is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PolicyFormat {
    /// The policy alone
    #[default]
    Json,
    /// The whole stack as a CloudFormation template
    Cloudformation,
    /// The whole stack as a Terraform module
    Terraform,
}

#[derive(Debug, Subcommand)]
pub enum Policy {
    /// The key's policy: who may sign, with which algorithm, who administers.
    Key(PolicyOptions),
    /// The role's policy: it may sign with this key.
    Role(PolicyOptions),
    /// The role's trust policy: which workflows may assume it.
    Trust(PolicyOptions),
}

const POLICY: &str = "\
Examples:
  app-token policy key --sign-role arn:aws:iam::123456789012:role/app-token
  app-token policy role --key arn:aws:kms:eu-central-1:123456789012:key/1234abcd-...
  app-token policy trust --account 123456789012 --repository my-org/repo \\
      --job-workflow-ref 'my-org/repo/.github/workflows/release.yml@refs/heads/main'
  app-token policy trust --repository-id 1296269 --environment production --format cloudformation

Whoever may sign can sign any JWT for the App, so for ten minutes at a time it is the App. The
trust policy is the fence: name the repository by its number, which cannot be taken over, and
the workflow.";

/// What policies are made of. Each policy uses what it needs; the whole stack uses all of it.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = POLICY)]
pub struct PolicyOptions {
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    pub format: PolicyFormat,

    /// The AWS account's number [else: asked of AWS].
    #[arg(long, value_name = "NUMBER")]
    pub account: Option<String>,

    /// aws, aws-cn or aws-us-gov.
    #[arg(long, value_name = "NAME", default_value = "aws")]
    pub partition: String,

    /// The KMS key's ARN.
    #[arg(long, value_name = "ARN")]
    pub key: Vec<String>,

    /// A role that may sign.
    #[arg(long, value_name = "ARN")]
    pub sign_role: Vec<String>,

    /// A repository whose workflows may assume the role; its number is looked up, with GH_TOKEN where
    /// that is set.
    #[arg(long, value_name = "OWNER/NAME")]
    pub repository: Vec<String>,

    /// The same by number.
    #[arg(long, value_name = "ID")]
    pub repository_id: Vec<String>,

    /// What the claim sub must look like, where it does not follow from --repository; * stands for
    /// anything. AWS wants this claim in every trust policy for GitHub's provider.
    #[arg(long, value_name = "TEXT")]
    pub subject: Vec<String>,

    /// The workflow that must be running, with its ref; * stands for anything.
    #[arg(long, value_name = "REF")]
    pub job_workflow_ref: Vec<String>,

    /// The environment that the job must run in.
    #[arg(long, value_name = "NAME")]
    pub environment: Vec<String>,

    /// The audience of the OIDC token.
    #[arg(long, value_name = "TEXT", default_value = "sts.amazonaws.com")]
    pub audience: String,

    /// The OIDC provider's host; another one on GitHub Enterprise.
    #[arg(
        long,
        value_name = "HOST",
        default_value = "token.actions.githubusercontent.com"
    )]
    pub provider: String,

    #[command(flatten)]
    pub github: GitHubOptions,
}

const DOCTOR: &str = "\
Examples:
  app-token doctor --client-id Iv23liAbCdEf --kms-key-id alias/github-app
  app-token doctor ... --repositories my-org/repo -p contents=write    (would that token be made?)

It makes no token and changes nothing. Exit status 1 if a check failed.";

#[derive(Args, Debug)]
#[command(after_help = DOCTOR)]
pub struct Doctor {
    #[command(flatten)]
    pub app: AppOptions,
    #[command(flatten)]
    pub scope: ScopeOptions,
    #[command(flatten)]
    pub aws: AwsOptions,
    #[command(flatten)]
    pub github: GitHubOptions,

    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

const COMPLETIONS: &str = "\
Examples:
  app-token completions bash > ~/.local/share/bash-completion/completions/app-token
  app-token completions zsh  > ~/.zfunc/_app-token
  app-token completions fish > ~/.config/fish/completions/app-token.fish";

#[derive(Args, Debug)]
#[command(after_help = COMPLETIONS)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  app-token man | man -l -")]
pub struct Man {
    /// A folder to write a page for each command into.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath, action = ArgAction::Set)]
    pub out: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}

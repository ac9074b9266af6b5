//! What later steps get.

use crate::files::RunnerFile;
use app_token::error::Result;
use app_token::github::identity::GitIdentity;
use app_token::mint::Minted;

/// The outputs that are written. action.yml declares these and no others; a check holds the two together.
pub const OUTPUTS: &[&str] = &[
    "token",
    "installation-id",
    "app-slug",
    "expires-at",
    "permissions",
    "git-user-name",
    "git-user-email",
];

/// Writes them, in one piece. Those of the git identity only if it was asked for.
///
/// # Errors
/// As [`RunnerFile::write`].
pub fn write(file: &RunnerFile<'_>, minted: &Minted, identity: Option<&GitIdentity>) -> Result<()> {
    let installation_id = minted.installation_id.to_string();
    let expires_at = minted.token.expires_at.to_string();
    let permissions = minted.token.permissions.to_string();
    let slug = minted
        .installation
        .as_ref()
        .map_or("", |found| found.app_slug.as_str());
    let values = [
        Some(minted.token.secret.expose()),
        Some(&*installation_id),
        Some(slug),
        Some(&*expires_at),
        Some(&*permissions),
        identity.map(|identity| identity.name.as_str()),
        identity.map(|identity| identity.email.as_str()),
    ];
    let entries: Vec<(&str, &str)> = OUTPUTS
        .iter()
        .zip(values)
        .filter_map(|(name, value)| Some((*name, value?)))
        .collect();
    file.write(&entries)
}

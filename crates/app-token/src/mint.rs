//! The use case: from an order to a token. One signature, one look-up, one mint.

use crate::aws::credentials::Credentials;
use crate::aws::keyring::Signed;
use crate::error::{Error, Result, words};
use crate::github::installation::{self, Installation};
use crate::github::token::{self, Token};
use crate::github::{GitHub, Refused};
use crate::http::client::{Client, Limits};
use crate::jwt::{self, IssuerForm};
use crate::order::Order;
use crate::scope::{Account, InstallationId, Owner, Repositories};
use crate::secret::Secret;
use futures_util::future::{LocalBoxFuture, join};
use std::cell::RefCell;
use std::time::Duration;

/// The token, and how it came about.
#[derive(Debug)]
pub struct Minted {
    /// The token.
    pub token: Token,
    /// Of which installation.
    pub installation_id: InstallationId,
    /// The installation. Not known where its number was given and the look-up beside the mint failed.
    pub installation: Option<Installation>,
    /// Who signed.
    pub signed: Signed,
    /// How long each step took, in order. Steps that ran side by side overlap.
    pub steps: Vec<(&'static str, Duration)>,
}

/// Makes a token. `keep` is called with it the moment it exists, before anything else is asked or told:
/// to mask it, and to note that it has to be revoked. When that fails, it is revoked here.
///
/// # Errors
/// Of credentials, KMS and GitHub, each by its own kind.
pub async fn mint(
    client: &Client,
    order: &Order,
    keep: &dyn Fn(&Token) -> Result<()>,
) -> Result<Minted> {
    let run = Run {
        client,
        order,
        keep,
        steps: RefCell::default(),
    };
    run.go().await
}

struct Run<'a> {
    client: &'a Client,
    order: &'a Order,
    keep: &'a dyn Fn(&Token) -> Result<()>,
    steps: RefCell<Vec<(&'static str, Duration)>>,
}

/// The App's JWT, and how it was made.
struct Assertion {
    jwt: Secret,
    signed: Signed,
    corrected: bool,
}

impl Run<'_> {
    async fn go(self) -> Result<Minted> {
        self.client.permit(self.order.origins());
        if let Some(key) = self.order.keys.keys().first() {
            self.client.connect(&key.endpoint.origin, true);
            // The host begins to connect when it has its turn; what follows takes some milliseconds.
            self.client.host.clock.sleep(Duration::ZERO).await;
        }
        let credentials = self
            .timed("credentials", self.order.credentials.load(self.client))
            .await?;
        // KMS is asked first; while it signs, the connections to GitHub open.
        let open = async {
            self.client.connect(&self.order.api.url().origin, false);
            if matches!(self.order.target.account, Account::Installation { .. }) {
                self.client.connect(&self.order.api.url().origin, false);
            }
        };
        let (first, ()) = join(self.sign(&credentials, 0, IssuerForm::default()), open).await;
        let (jwt, signed) = first?;
        let mut assertion = Assertion {
            jwt,
            signed,
            corrected: false,
        };

        loop {
            let (error, ahead, form) = match self.trade(&assertion.jwt).await {
                Ok((token, installation_id, installation)) => {
                    return Ok(Minted {
                        token,
                        installation_id,
                        installation,
                        signed: assertion.signed,
                        steps: self.steps.into_inner(),
                    });
                }
                Err(Refused::Clock { ahead, error }) => {
                    let ahead_of_aws = ahead.saturating_sub(assertion.signed.signature.aws_ahead);
                    if ahead_of_aws > MOST_AHEAD {
                        return Err(error.advise(format!(
                            "Its answer is dated {ahead_of_aws} s later than AWS's, so nothing is signed with that time: see what answers there."
                        )));
                    }
                    (error, ahead, IssuerForm::String)
                }
                Err(Refused::NumericIssuer(error)) if self.order.app.is_number() => {
                    (error, 0, IssuerForm::Number)
                }
                Err(Refused::NumericIssuer(error)) => {
                    return Err(error.advise(
                        "Set app-id to the App's number in place of the client ID: this GitHub takes nothing else.",
                    ));
                }
                Err(other) => return Err(other.into()),
            };
            // Once. A server that finds fault with the corrected JWT as well is not to be pleased.
            if assertion.corrected {
                return Err(error);
            }
            self.client.host.log.warning(&match form {
                IssuerForm::String => format!(
                    "GitHub refused the JWT's times ({}). This machine's clock is {} s {} GitHub's; \
                     signing once more with GitHub's time. Set the machine's clock.",
                    error.detail,
                    ahead.abs(),
                    if ahead < 0 { "ahead of" } else { "behind" },
                ),
                IssuerForm::Number => format!(
                    "This GitHub wants the App's id as a number ({}); signing once more with that.",
                    error.detail,
                ),
            });
            let (jwt, signed) = self.sign(&credentials, ahead, form).await?;
            assertion = Assertion {
                jwt,
                signed,
                corrected: true,
            };
        }
    }

    /// Has KMS sign a JWT of this time. Like the other steps it is a future of its own in a box: the
    /// engine compiles a function whole when it is first entered, and steps that are not taken, or are
    /// taken from two places, would be compiled with it.
    fn sign<'b>(
        &'b self,
        credentials: &'b Credentials,
        ahead: i64,
        form: IssuerForm,
    ) -> LocalBoxFuture<'b, Result<(Secret, Signed)>> {
        Box::pin(async move {
            let now = self.client.host.clock.now().plus(ahead);
            let input = jwt::signing_input(&self.order.app, now, form);
            let signing = self.order.keys.sign(self.client, credentials, &input);
            let signed = self.timed("signature", signing).await?;
            let jwt = jwt::assemble(&input, &signed.signature.bytes);
            self.client.host.log.mask(jwt.expose());
            Ok((jwt, signed))
        })
    }

    /// From the JWT to the token.
    async fn trade(
        &self,
        jwt: &Secret,
    ) -> Result<(Token, InstallationId, Option<Installation>), Refused> {
        let github = self.github();
        let look_up = installation::look_up(&github, jwt, &self.order.target.account);
        let look_up = Box::pin(self.timed("look-up", look_up));
        match &self.order.target.account {
            // The number is all that the mint needs: the look-up goes along beside it, for the names.
            Account::Installation { id, owner } => {
                let (token, installation) = join(self.mint(jwt, *id), look_up).await;
                let token = match token {
                    Ok(token) => token,
                    Err(refused) => {
                        return Err(Box::pin(self.explain(
                            refused,
                            jwt,
                            installation.ok().as_ref(),
                        ))
                        .await);
                    }
                };
                match &installation {
                    Err(refused) => self.client.host.log.warning(&format!(
                        "The installation could not be looked up, so the App's slug is not known: {refused}"
                    )),
                    Ok(found) => self.tell_other_owner(owner.as_ref(), found),
                }
                Ok((token, *id, installation.ok()))
            }
            _ => {
                let installation = look_up.await?;
                if let Account::Owner(owner) = &self.order.target.account {
                    self.tell_other_owner(Some(owner), &installation);
                }
                match self.mint(jwt, installation.id).await {
                    Ok(token) => Ok((token, installation.id, Some(installation))),
                    Err(refused) => {
                        Err(Box::pin(self.explain(refused, jwt, Some(&installation))).await)
                    }
                }
            }
        }
    }

    /// Warns where the installation is not on the owner that was meant: one that was renamed, or another.
    fn tell_other_owner(&self, owner: Option<&Owner>, found: &Installation) {
        let meant = owner.filter(|owner| !found.account.is_empty() && !owner.is(&found.account));
        if let Some(owner) = meant {
            self.client.host.log.warning(&format!(
                "Installation {} is on {}, not on {}: the token is for {1}.",
                found.id,
                words(&found.account),
                owner.as_str(),
            ));
        }
    }

    fn mint<'b>(
        &'b self,
        jwt: &'b Secret,
        id: InstallationId,
    ) -> LocalBoxFuture<'b, Result<Token, Refused>> {
        Box::pin(async move {
            let Order {
                target,
                permissions,
                ..
            } = self.order;
            let github = self.github();
            let minted = token::mint(&github, jwt, id, &target.repositories, permissions);
            let token = self.timed("mint", minted).await?;
            match (self.keep)(&token) {
                Ok(()) => Ok(token),
                Err(error) => {
                    let undone = token::undo(&github, &token.secret, error);
                    Err(Box::pin(undone).await.into())
                }
            }
        })
    }

    /// Says which permission or which repository a refusal is about; GitHub does not.
    async fn explain(
        &self,
        refused: Refused,
        jwt: &Secret,
        installation: Option<&Installation>,
    ) -> Refused {
        let account = match (&self.order.target.account, installation) {
            (Account::Owner(owner), _) => Some(owner.clone()),
            (_, Some(found)) => Owner::parse(&found.account).ok(),
            _ => None,
        };
        match refused {
            Refused::Permissions(error) => {
                let lacking =
                    installation.map(|found| self.order.permissions.lacking(&found.permissions));
                Refused::Permissions(match lacking.filter(|lacking| !lacking.is_empty()) {
                    Some(lacking) => Error {
                        detail: format!("{}; {}", lacking.join(", "), error.detail),
                        ..error
                    },
                    None => Error {
                        detail: format!("asked for {}; {}", self.order.permissions, error.detail),
                        ..error
                    },
                })
            }
            Refused::Repositories(error) => {
                let which = match &self.order.target.repositories {
                    Repositories::Names(names) => {
                        let mut lacking: Vec<&str> = Vec::new();
                        // Of one name it is known which. Of many, a look at each tells, within reason.
                        if let (Some(owner), true) =
                            (&account, (2..=MOST_LOOKS).contains(&names.len()))
                        {
                            for name in names {
                                if !installation::reaches(&self.github(), jwt, owner, name).await {
                                    lacking.push(name.as_str());
                                }
                            }
                        }
                        if lacking.is_empty() {
                            lacking = names.iter().map(|name| name.as_str()).collect();
                        }
                        lacking.join(", ")
                    }
                    Repositories::Ids(ids) => ids
                        .iter()
                        .map(u64::to_string)
                        .collect::<Vec<_>>()
                        .join(", "),
                    Repositories::All => String::new(),
                };
                let on = account
                    .map(|owner| format!(" on {}", owner.as_str()))
                    .unwrap_or_default();
                Refused::Repositories(Error {
                    detail: format!("{which}{on}; {}", error.detail),
                    ..error
                })
            }
            other => other,
        }
    }

    fn github(&self) -> GitHub<'_> {
        GitHub {
            client: self.client,
            api: &self.order.api,
            limits: Limits::MINT,
        }
    }

    async fn timed<T>(&self, step: &'static str, work: impl Future<Output = T>) -> T {
        let begun = self.client.elapsed();
        let outcome = work.await;
        self.steps
            .borrow_mut()
            .push((step, self.client.elapsed().saturating_sub(begun)));
        outcome
    }
}

/// How many seconds GitHub's time may be ahead of AWS's for a JWT to be signed with it. Both keep theirs
/// right; whoever answers in GitHub's place would get a JWT of the App for a day of its choice.
const MOST_AHEAD: i64 = 20 * 60;

/// Of more repositories than this it is not asked one by one which of them is out of reach.
const MOST_LOOKS: usize = 30;

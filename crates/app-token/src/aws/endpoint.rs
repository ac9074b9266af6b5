//! Where a service answers: the overrides that the SDKs share, else the name that follows from region,
//! partition, FIPS and dual stack.
//!
//! See "Service-specific endpoints" and "Dual-stack and FIPS endpoints" in the AWS SDKs and Tools
//! Reference Guide.

use super::region::Region;
use crate::error::{Error, Result, problem};
use crate::host::Env;
use crate::http::url::{Url, UrlError};

/// A service that is asked here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Key Management Service.
    Kms,
    /// Security Token Service.
    Sts,
}

impl Service {
    /// As host names and signatures have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kms => "kms",
            Self::Sts => "sts",
        }
    }

    const fn variable(self) -> &'static str {
        match self {
            Self::Kms => "AWS_ENDPOINT_URL_KMS",
            Self::Sts => "AWS_ENDPOINT_URL_STS",
        }
    }

    /// The service's endpoint in this region.
    ///
    /// # Errors
    /// [`problem::ENDPOINT_INVALID`], naming the variable.
    pub fn endpoint(self, region: &Region, env: &dyn Env) -> Result<Url> {
        let on = |name| {
            env.var(name)
                .is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
        };
        if !on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            for name in [self.variable(), "AWS_ENDPOINT_URL"] {
                if let Some(text) = env.var(name) {
                    return Url::parse_base(text.trim()).map_err(|error| invalid(error).at(name));
                }
            }
        }
        let partition = region.partition();
        let fips = if on("AWS_USE_FIPS_ENDPOINT") {
            "-fips"
        } else {
            ""
        };
        let suffix = if on("AWS_USE_DUALSTACK_ENDPOINT") {
            partition.dual_stack_suffix
        } else {
            partition.suffix
        };
        // STS has no `-fips` name in GovCloud: its plain one is the FIPS endpoint there.
        let fips = if self == Self::Sts && partition.name == "aws-us-gov" {
            ""
        } else {
            fips
        };
        Url::parse_base(&format!("https://{}{fips}.{region}.{suffix}", self.name()))
            .map_err(invalid)
    }
}

fn invalid(error: UrlError) -> Error {
    Error::new(&problem::ENDPOINT_INVALID, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::env;

    fn kms(region: &str, variables: &[(&str, &str)]) -> String {
        Service::Kms
            .endpoint(&Region::parse(region).unwrap(), &env(variables))
            .unwrap()
            .to_string()
    }

    #[test]
    fn names_follow_from_region_and_partition() {
        let (fips, dual) = (
            ("AWS_USE_FIPS_ENDPOINT", "true"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "TRUE"),
        );
        assert_eq!(
            kms("eu-central-1", &[]),
            "https://kms.eu-central-1.amazonaws.com"
        );
        assert_eq!(
            kms("cn-north-1", &[]),
            "https://kms.cn-north-1.amazonaws.com.cn"
        );
        assert_eq!(
            kms("us-gov-west-1", &[fips]),
            "https://kms-fips.us-gov-west-1.amazonaws.com"
        );
        assert_eq!(
            kms("eu-central-1", &[dual]),
            "https://kms.eu-central-1.api.aws"
        );
        assert_eq!(
            kms("us-east-1", &[fips, dual]),
            "https://kms-fips.us-east-1.api.aws"
        );
        assert_eq!(
            kms("cn-north-1", &[dual]),
            "https://kms.cn-north-1.api.amazonwebservices.com.cn"
        );
        assert_eq!(
            kms("us-east-1", &[("AWS_USE_FIPS_ENDPOINT", "false")]),
            "https://kms.us-east-1.amazonaws.com"
        );
        let sts = Service::Sts
            .endpoint(&Region::parse("us-gov-east-1").unwrap(), &env(&[fips]))
            .unwrap();
        assert_eq!(sts.to_string(), "https://sts.us-gov-east-1.amazonaws.com");
    }

    #[test]
    fn the_service_s_own_override_wins() {
        let own = ("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1/");
        let any = ("AWS_ENDPOINT_URL", "https://vpce.example/base");
        assert_eq!(kms("eu-central-1", &[own, any]), "http://127.0.0.1:1");
        assert_eq!(kms("eu-central-1", &[any]), "https://vpce.example/base");
        let off = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        assert_eq!(
            kms("eu-central-1", &[own, any, off]),
            "https://kms.eu-central-1.amazonaws.com"
        );
    }

    #[test]
    fn a_malformed_override_is_named() {
        let variables = env(&[("AWS_ENDPOINT_URL", "http://kms.internal")]);
        let error = Service::Kms
            .endpoint(&Region::parse("eu-central-1").unwrap(), &variables)
            .unwrap_err();
        assert!(error.is(&problem::ENDPOINT_INVALID));
        assert_eq!(error.place, "AWS_ENDPOINT_URL");
    }
}

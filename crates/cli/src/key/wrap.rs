//! Wrapping for the way into KMS: RSA_AES_KEY_WRAP_SHA_256.
//!
//! A fresh AES-256 key wraps the material (AES key wrap with padding, RFC 5649); the AES key itself goes
//! under RSA-OAEP with SHA-256 for hash and mask; the two are joined. It is PKCS#11's
//! CKM_RSA_AES_KEY_WRAP; see "Importing key material, step 3" in the KMS Developer Guide.

use crate::problem;
use aes_kw::KwpAes256;
use aes_kw::cipher::KeyInit;
use app_token::error::{Error, Result, problem as library};
use rsa::pkcs8::DecodePublicKey;
use rsa::traits::PublicKeyParts;
use rsa::{Oaep, RsaPublicKey, rand_core};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The least that a wrapping key may have, in bits. What was asked for is RSA_4096.
const LEAST_BITS: usize = 4096;

/// The material, so that only the holder of the wrapping key's other half can read it.
///
/// # Errors
/// [`library::KMS_UNUSABLE`] for a wrapping key that is none.
pub fn wrap(material: &[u8], wrapping_key: &[u8]) -> Result<Vec<u8>> {
    let unusable = |why: &str| Error::new(&library::KMS_UNUSABLE, why);
    let public = RsaPublicKey::from_public_key_der(wrapping_key)
        .map_err(|_| unusable("the wrapping key is no RSA public key"))?;
    if public.n().bits() < LEAST_BITS {
        return Err(unusable("the wrapping key is shorter than was asked for"));
    }
    let mut key = Zeroizing::new([0; 32]);
    getrandom::getrandom(&mut *key)
        .map_err(|error| Error::new(&library::INTERNAL, format!("no random bytes: {error}")))?;
    let mut wrapped = public
        .encrypt(&mut rand_core::OsRng, Oaep::new::<Sha256>(), &*key)
        .map_err(|_| unusable("the wrapping key cannot encrypt"))?;
    let cipher = KwpAes256::new_from_slice(&*key)
        .map_err(|_| Error::new(&library::INTERNAL, "AES key wrap takes no key of 32 bytes"))?;
    // Whole blocks of eight bytes, and one for the length and the check.
    let start = wrapped.len();
    wrapped.resize(start + material.len().div_ceil(8) * 8 + 8, 0);
    cipher
        .wrap_key(material, &mut wrapped[start..])
        .map_err(|_| Error::new(&problem::PEM_DAMAGED, "it cannot be wrapped"))?;
    Ok(wrapped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsa::RsaPrivateKey;
    use rsa::pkcs8::EncodePublicKey;

    fn unwrap(wrapping: &RsaPrivateKey, wrapped: &[u8]) -> Vec<u8> {
        let (head, tail) = wrapped.split_at(512);
        let key = wrapping.decrypt(Oaep::new::<Sha256>(), head).unwrap();
        let cipher = KwpAes256::new_from_slice(&key).unwrap();
        let mut buffer = vec![0; tail.len()];
        cipher.unwrap_key(tail, &mut buffer).unwrap().to_vec()
    }

    #[test]
    fn what_is_wrapped_can_be_unwrapped_and_no_two_are_alike() {
        let wrapping = RsaPrivateKey::new(&mut rand_core::OsRng, 4096).unwrap();
        let public = wrapping.to_public_key().to_public_key_der().unwrap();
        for length in [1, 8, 1217, 1218] {
            let material: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let wrapped = wrap(&material, public.as_bytes()).unwrap();
            assert_eq!(unwrap(&wrapping, &wrapped), material);
            assert_ne!(wrapped, wrap(&material, public.as_bytes()).unwrap());
        }
    }

    #[test]
    fn a_wrapping_key_that_is_too_short_is_refused() {
        let short = RsaPrivateKey::new(&mut rand_core::OsRng, 2048).unwrap();
        let public = short.to_public_key().to_public_key_der().unwrap();
        for key in [public.as_bytes(), b"nonsense"] {
            assert!(wrap(b"x", key).unwrap_err().is(&library::KMS_UNUSABLE));
        }
    }
}

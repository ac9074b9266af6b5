//! Importing key material: wrapping keys, import tokens, and the unwrapping itself, RSA-OAEP
//! ([RFC 8017] section 7.1) around an AES key and AES key wrap with padding ([RFC 5649]) around the
//! material, which must be PKCS#8.
//!
//! [RFC 8017]: https://www.rfc-editor.org/rfc/rfc8017
//! [RFC 5649]: https://www.rfc-editor.org/rfc/rfc5649

use std::sync::OnceLock;

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, KeyInit};
use rsa::pkcs8::DecodePrivateKey;
use rsa::rand_core::{CryptoRng, RngCore};
use rsa::sha2::{Sha256, Sha384, Sha512};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, Oaep, Pkcs1v15Sign, Pss, RsaPrivateKey};
use serde_json::json;

use super::{Operation, Outcome, invalid_state, one_of, validation};
use crate::aws::AwsError;
use crate::codec::{base64, random_bytes};
use crate::keys::{Components, EXPONENT, PrivateKey, PublicKey, RFC_7517, RFC_9500};
use crate::record::ImportToken;
use crate::state::lock;
use crate::world::{KeyState, KmsKey};

/// How long wrapping key and import token are good, in seconds: 24 hours.
const TOKEN_LIFE: i64 = 86_400;

impl Operation<'_> {
    pub(super) fn parameters_for_import(&mut self) -> Outcome {
        let algorithm = self.text("WrappingAlgorithm")?.to_owned();
        let spec = self.text("WrappingKeySpec")?.to_owned();
        one_of(
            "wrappingAlgorithm",
            &algorithm,
            &[
                "RSAES_PKCS1_V1_5",
                "RSAES_OAEP_SHA_1",
                "RSAES_OAEP_SHA_256",
                "RSA_AES_KEY_WRAP_SHA_1",
                "RSA_AES_KEY_WRAP_SHA_256",
            ],
        )?;
        one_of(
            "wrappingKeySpec",
            &spec,
            &["RSA_2048", "RSA_3072", "RSA_4096"],
        )?;
        let (_, key) = self.managed_key("kms:GetParametersForImport")?;
        check_importable(&key)?;
        if algorithm != "RSA_AES_KEY_WRAP_SHA_256" {
            return Err(AwsError::new(
                "UnsupportedOperationException",
                format!("Wrapping algorithm {algorithm} is not supported for key spec RSA_2048."),
            ));
        }
        let (wrapping_spec, wrapping) = wrapping_key(&spec);
        let token = ImportToken {
            value: random_bytes(512),
            key_arn: key.arn(),
            wrapping_spec,
            expires: self.now + TOKEN_LIFE,
        };
        let public = PublicKey::new(&wrapping.n().to_bytes_be(), &wrapping.e().to_bytes_be());
        let body = json!({
            "KeyId": key.arn(),
            "ImportToken": base64(&token.value),
            "PublicKey": base64(&public.spki()),
            "ParametersValidTo": token.expires,
        });
        lock(&self.state.import_tokens).push(token);
        Ok(body)
    }

    pub(super) fn import_key_material(&mut self) -> Outcome {
        let sent_token = self.blob("ImportToken")?;
        let wrapped = self.blob("EncryptedKeyMaterial")?;
        let model = self
            .optional_text("ExpirationModel")?
            .unwrap_or("KEY_MATERIAL_EXPIRES")
            .to_owned();
        one_of(
            "expirationModel",
            &model,
            &["KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"],
        )?;
        if (model == "KEY_MATERIAL_EXPIRES") != self.input.contains_key("ValidTo") {
            return Err(validation(
                "A validTo date must be set if and only if the ExpirationModel is KEY_MATERIAL_EXPIRES",
            ));
        }
        let (place, key) = self.managed_key("kms:ImportKeyMaterial")?;
        check_importable(&key)?;

        let tokens = lock(&self.state.import_tokens);
        let token = tokens
            .iter()
            .find(|known| known.value == sent_token && known.key_arn == key.arn());
        let Some(token) = token else {
            return Err(AwsError::new(
                "InvalidImportTokenException",
                "The import token is invalid or of another key.",
            ));
        };
        if token.expires <= self.now {
            return Err(AwsError::new(
                "ExpiredImportTokenException",
                "The import token has expired.",
            ));
        }
        let (_, wrapping) = wrapping_key(token.wrapping_spec);
        drop(tokens);
        let Some(material) = unwrap(wrapping, &wrapped) else {
            return Err(AwsError::new(
                "InvalidCiphertextException",
                "The key material could not be unwrapped.",
            ));
        };
        let Some(material) = private_key(&material) else {
            return Err(AwsError::new(
                "IncorrectKeyMaterialException",
                "The key material is not a PKCS#8 RSA private key of the spec RSA_2048.",
            ));
        };
        if key
            .bound_to
            .as_ref()
            .is_some_and(|bound| bound != material.public())
        {
            return Err(AwsError::new(
                "IncorrectKeyMaterialException",
                "The key material is not the material that was imported before.",
            ));
        }
        // A multi-Region key is one key: its first import binds all of them.
        for known in self
            .world
            .keys
            .iter_mut()
            .filter(|known| known.id == key.id)
        {
            known.bound_to = Some(material.public().clone());
        }
        let key = &mut self.world.keys[place];
        key.material = Some(material);
        if key.state == KeyState::PendingImport {
            key.state = KeyState::Enabled;
        }
        Ok(json!({"KeyId": key.arn()}))
    }

    pub(super) fn delete_imported_key_material(&mut self) -> Outcome {
        let (place, key) = self.managed_key("kms:DeleteImportedKeyMaterial")?;
        check_importable(&key)?;
        let key = &mut self.world.keys[place];
        key.material = None;
        key.state = KeyState::PendingImport;
        Ok(json!({"KeyId": key.arn()}))
    }
}

/// May material be imported into this key, and is it in a state for it?
fn check_importable(key: &KmsKey) -> Result<(), AwsError> {
    if key.origin != "EXTERNAL" {
        return Err(AwsError::new(
            "UnsupportedOperationException",
            format!(
                "{} origin is {} which is not valid for this operation.",
                key.arn(),
                key.origin
            ),
        ));
    }
    match key.state {
        KeyState::PendingDeletion => Err(invalid_state(key, "pending deletion")),
        KeyState::Creating => Err(invalid_state(key, "creating")),
        KeyState::Enabled | KeyState::Disabled | KeyState::PendingImport => Ok(()),
    }
}

/// The key under which material is wrapped. Two sizes are published examples; the third is
/// generated when it is first asked for, which takes seconds.
fn wrapping_key(spec: &str) -> (&'static str, &'static RsaPrivateKey) {
    static KEYS: [OnceLock<RsaPrivateKey>; 3] = [const { OnceLock::new() }; 3];
    match spec {
        "RSA_2048" => (
            "RSA_2048",
            KEYS[0].get_or_init(|| opened(&PrivateKey::published(&RFC_7517))),
        ),
        "RSA_3072" => ("RSA_3072", KEYS[1].get_or_init(|| generated(3_072))),
        _ => (
            "RSA_4096",
            KEYS[2].get_or_init(|| opened(&PrivateKey::published(&RFC_9500))),
        ),
    }
}

/// A key in the form of the crate that decrypts.
fn opened(key: &PrivateKey) -> RsaPrivateKey {
    let secret = key.components();
    let primes = vec![
        BigUint::from_bytes_be(&secret.p),
        BigUint::from_bytes_be(&secret.q),
    ];
    #[expect(
        clippy::expect_used,
        reason = "whatever signs here is a consistent key"
    )]
    RsaPrivateKey::from_components(
        BigUint::from_bytes_be(key.public().modulus()),
        BigUint::from_bytes_be(&EXPONENT),
        BigUint::from_bytes_be(&secret.d),
        primes,
    )
    .expect("the key is consistent")
}

fn generated(bits: usize) -> RsaPrivateKey {
    #[expect(clippy::expect_used, reason = "fails for absurd sizes only")]
    RsaPrivateKey::new(&mut SystemRandom, bits).expect("an RSA key of that size")
}

/// A new key of 2048 bits, for keys whose material KMS makes itself.
pub(super) fn new_material() -> Option<PrivateKey> {
    closed(&generated(2_048))
}

/// Takes RSA_AES_KEY_WRAP_SHA_256 apart: the OAEP block, as long as the modulus, then the material.
fn unwrap(wrapping: &RsaPrivateKey, wrapped: &[u8]) -> Option<Vec<u8>> {
    if wrapped.len() <= wrapping.size() {
        return None;
    }
    let (block, material) = wrapped.split_at(wrapping.size());
    let key = wrapping.decrypt(Oaep::new::<Sha256>(), block).ok()?;
    let key: [u8; 32] = key.try_into().ok()?;
    unwrap_with_padding(&Aes256::new(&key.into()), material)
}

/// RFC 5649 section 4.2.
fn unwrap_with_padding(cipher: &Aes256, wrapped: &[u8]) -> Option<Vec<u8>> {
    if wrapped.len() < 16 || !wrapped.len().is_multiple_of(8) {
        return None;
    }
    let (check, mut text) = if wrapped.len() == 16 {
        let mut block: [u8; 16] = wrapped.try_into().ok()?;
        cipher.decrypt_block((&mut block).into());
        (block[..8].to_vec(), block[8..].to_vec())
    } else {
        unwrap_blocks(cipher, wrapped)
    };
    // The alternative initial value: a constant, then the length of the text without its padding.
    let length = u32::from_be_bytes(check[4..8].try_into().ok()?) as usize;
    let padding = text.len().checked_sub(length)?;
    if check[..4] != [0xa6, 0x59, 0x59, 0xa6]
        || padding >= 8
        || text[length..].iter().any(|byte| *byte != 0)
    {
        return None;
    }
    text.truncate(length);
    Some(text)
}

/// RFC 3394 section 2.2.2, the inverse of the wrapping: the integrity value, and the text.
fn unwrap_blocks(cipher: &Aes256, wrapped: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut check, mut text) = (wrapped[..8].to_vec(), wrapped[8..].to_vec());
    let count = text.len() / 8;
    for step in (0..6 * count).rev() {
        let at = step % count * 8;
        let counter = (step as u64 + 1).to_be_bytes();
        let mut block = [0; 16];
        for (byte, (left, right)) in block.iter_mut().zip(check.iter().zip(counter)) {
            *byte = left ^ right;
        }
        block[8..].copy_from_slice(&text[at..at + 8]);
        cipher.decrypt_block((&mut block).into());
        check.copy_from_slice(&block[..8]);
        text[at..at + 8].copy_from_slice(&block[8..]);
    }
    (check, text)
}

/// Reads PKCS#8; only 2048 bits pass.
fn private_key(material: &[u8]) -> Option<PrivateKey> {
    let key = RsaPrivateKey::from_pkcs8_der(material).ok()?;
    if key.n().bits() != 2_048 {
        return None;
    }
    closed(&key)
}

/// A key in the form of the crate that signs.
fn closed(key: &RsaPrivateKey) -> Option<PrivateKey> {
    let [p, q] = key.primes() else { return None };
    let secret = Components {
        d: key.d().to_bytes_be(),
        p: p.to_bytes_be(),
        q: q.to_bytes_be(),
        dp: key.dp()?.to_bytes_be(),
        dq: key.dq()?.to_bytes_be(),
        qi: key.crt_coefficient()?.to_bytes_be(),
    };
    let public = PublicKey::new(&key.n().to_bytes_be(), &key.e().to_bytes_be());
    PrivateKey::from_components(public, secret)
}

/// Signs a digest that the caller made; `None` where an RSA key has no such algorithm.
pub(super) fn sign_digest(key: &PrivateKey, algorithm: &str, digest: &[u8]) -> Option<Vec<u8>> {
    let key = opened(key);
    let random = &mut SystemRandom;
    let signature = match algorithm {
        "RSASSA_PKCS1_V1_5_SHA_256" => {
            key.sign_with_rng(random, Pkcs1v15Sign::new::<Sha256>(), digest)
        }
        "RSASSA_PKCS1_V1_5_SHA_384" => {
            key.sign_with_rng(random, Pkcs1v15Sign::new::<Sha384>(), digest)
        }
        "RSASSA_PKCS1_V1_5_SHA_512" => {
            key.sign_with_rng(random, Pkcs1v15Sign::new::<Sha512>(), digest)
        }
        "RSASSA_PSS_SHA_256" => key.sign_with_rng(random, Pss::new::<Sha256>(), digest),
        "RSASSA_PSS_SHA_384" => key.sign_with_rng(random, Pss::new::<Sha384>(), digest),
        "RSASSA_PSS_SHA_512" => key.sign_with_rng(random, Pss::new::<Sha512>(), digest),
        _ => return None,
    };
    signature.ok()
}

/// The system's random numbers in the form that the RSA crate takes.
struct SystemRandom;

impl RngCore for SystemRandom {
    fn next_u32(&mut self) -> u32 {
        rsa::rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rsa::rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&random_bytes(out.len()));
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for SystemRandom {}

#[cfg(test)]
pub(crate) mod tests {
    use aes::cipher::BlockCipherEncrypt;
    use rsa::pkcs8::{DecodePublicKey, EncodePrivateKey};
    use rsa::{RsaPublicKey, traits::PaddingScheme};

    use super::*;
    use crate::codec::hex;

    /// Wraps as a client of KMS must; the inverse of [`unwrap`].
    pub(crate) fn wrap(spki: &[u8], material: &[u8]) -> Vec<u8> {
        let public = RsaPublicKey::from_public_key_der(spki).unwrap();
        let key: [u8; 32] = random_bytes(32).try_into().unwrap();
        let mut out = Oaep::new::<Sha256>()
            .encrypt(&mut SystemRandom, &public, &key)
            .unwrap();
        out.extend(wrap_with_padding(&Aes256::new(&key.into()), material));
        out
    }

    /// RFC 5649 section 4.1, for more than 8 bytes.
    fn wrap_with_padding(cipher: &Aes256, text: &[u8]) -> Vec<u8> {
        let mut check = [
            &[0xa6, 0x59, 0x59, 0xa6][..],
            &(text.len() as u32).to_be_bytes(),
        ]
        .concat();
        let mut text = text.to_vec();
        text.resize(text.len().next_multiple_of(8), 0);
        let count = text.len() / 8;
        for step in 0..6 * count {
            let at = step % count * 8;
            let mut block: [u8; 16] = [&check, &text[at..at + 8]].concat().try_into().unwrap();
            cipher.encrypt_block((&mut block).into());
            text[at..at + 8].copy_from_slice(&block[8..]);
            check = block
                .iter()
                .zip((step as u64 + 1).to_be_bytes())
                .map(|(left, right)| left ^ right)
                .collect();
        }
        [check, text].concat()
    }

    /// The PKCS#8 form of a key here.
    pub(crate) fn pkcs8(key: &PrivateKey) -> Vec<u8> {
        opened(key).to_pkcs8_der().unwrap().as_bytes().to_vec()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn rfc_3394_4_6_is_unwrapped() {
        // 256 bits of key data with a 256-bit key.
        let key: [u8; 32] =
            bytes("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F")
                .try_into()
                .unwrap();
        let wrapped = bytes(
            "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21",
        );
        let (check, text) = unwrap_blocks(&Aes256::new(&key.into()), &wrapped);
        assert_eq!(hex(&check), "a6a6a6a6a6a6a6a6");
        assert_eq!(
            hex(&text),
            "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f"
        );
    }

    #[test]
    fn what_is_wrapped_comes_back_and_what_is_changed_does_not() {
        let cipher = Aes256::new(&[7; 32].into());
        for length in [9, 15, 16, 17, 1_217] {
            let text = random_bytes(length);
            let wrapped = wrap_with_padding(&cipher, &text);
            assert_eq!(unwrap_with_padding(&cipher, &wrapped), Some(text));
            let mut changed = wrapped.clone();
            changed[3] ^= 1;
            assert_eq!(unwrap_with_padding(&cipher, &changed), None);
            assert_eq!(
                unwrap_with_padding(&cipher, &wrapped[..wrapped.len() - 1]),
                None
            );
        }
    }

    #[test]
    fn digests_get_the_same_signature_as_messages() {
        let key = PrivateKey::published(&RFC_7517);
        let digest = crate::codec::sha256(b"message");
        assert_eq!(
            sign_digest(&key, "RSASSA_PKCS1_V1_5_SHA_256", &digest),
            Some(key.sign(b"message"))
        );
        assert!(sign_digest(&key, "ECDSA_SHA_256", &digest).is_none());
    }
}

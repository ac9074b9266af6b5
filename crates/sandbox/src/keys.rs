//! RSA keys: signing, verifying, and the published test keys that the sandbox uses instead of
//! generating its own at each start (RSA generation takes seconds).
//!
//! The keys are examples that everybody knows, from
//! [RFC 7515 A.2](https://www.rfc-editor.org/rfc/rfc7515#appendix-A.2),
//! [RFC 7517 A.2](https://www.rfc-editor.org/rfc/rfc7517#appendix-A.2),
//! [RFC 7520 3.4](https://www.rfc-editor.org/rfc/rfc7520#section-3.4) and
//! [RFC 9500 2.1](https://www.rfc-editor.org/rfc/rfc9500#section-2.1): they protect nothing.

use std::fmt;
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};
use ring::signature::{self, RsaEncoding, UnparsedPublicKey};

use crate::codec::{base64url, base64url_decode};

/// An RSA private key in the form of RFC 7517 and 7518: unsigned big-endian integers in base64url.
/// The public exponent of all of them is 65537.
pub(crate) struct Jwk {
    pub(crate) n: &'static str,
    pub(crate) d: &'static str,
    pub(crate) p: &'static str,
    pub(crate) q: &'static str,
    pub(crate) dp: &'static str,
    pub(crate) dq: &'static str,
    pub(crate) qi: &'static str,
}

/// RFC 7515 A.2: the App's key in the default world.
pub(crate) const RFC_7515: Jwk = Jwk {
    n: "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-\
        Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-\
        pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-\
        bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-\
        UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-\
        DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    d: "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-\
        7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkq\
        zjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaF\
        QT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
    p: "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_\
        Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
    q: "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-\
        7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-\
        njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
    dp: "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-\
        FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
    dq: "h_96-\
        mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaH\
        F-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
    qi: "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5\
        cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U",
};

/// RFC 7520 3.4: the key of another App.
pub(crate) const RFC_7520: Jwk = Jwk {
    n: "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-\
        XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-\
        QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lF\
        HpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-\
        tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
    d: "bWUC9B-EFRIo8kpGfh0ZuyGPvMNKvYWNtB_ikiH9k20eT-O1q_I78eiZkpXxXQ0UTEs2LsNRS-8uJbvQ-\
        A1irkwMSMkK1J3XTGgdrhCku9gRldY7sNA_AKZGh-Q661_42rINLRCe8W-nZ34ui_qOfkLnK9QWDDqpaIsA-bMwW\
        WSDFu2MUBYwkHTMEzLYGqOe04noqeq1hExBTHBOBdkMXiuFhUq1BU6l-DqEiWxqg82sXt2h-\
        LMnT3046AOYJoRioz75tSUQfGCshWTBnP5uDjd18kKhyv07lhfSJdrPdM5Plyl21hsFf4L_mHCuoFau7gdsPfHPx\
        xjVOcOpBrQzwQ",
    p: "3Slxg_DwTXJcb6095RoXygQCAZ5RnAvZlno1yhHtnUex_fp7AZ_9nRaO7HX_-SFfGQeutao2TDjDAWU4Vupk8rw9\
        JR0AzZ0N2fvuIAmr_WCsmGpeNqQnev1T7IyEsnh8UMt-n5CafhkikzhEsrmndH6LxOrvRJlsPp6Zv8bUq0k",
    q: "uKE2dh-cTf6ERF4k4e_jy78GfPYUIaUyoSSJuBzp3Cubk3OCqs6grT8bR_cu0Dm1MZwWmtdqDyI95HrUeq3MP15v\
        MMON8lHTeZu2lmKvwqW7anV5UzhM1iZ7z4yMkuUwFWoBvyY898EXvRD-hdqRxHlSqAZ192zB3pVFJ0s7pFc",
    dp: "B8PVvXkvJrj2L-GYQ7v3y9r6Kw5g9SahXBwsWUzp19TVlgI-YV85q1NIb1rxQtD-\
        IsXXR3-TanevuRPRt5OBOdiMGQp8pbt26gljYfKU_E9xn-RULHz0-ed9E9gXLKD4VGngpz-\
        PfQ_q29pk5xWHoJp009Qf1HvChixRX59ehik",
    dq: "CLDmDGduhylc9o7r84rEUVn7pzQ6PF83Y-iBZx5NT-TpnOZKF1pErAMVeKzFEl41DlHHqqBLSM0W1sOFbwTxYWZD\
        m6sI6og5iTbwQGIC3gnJKbi_7k_vJgGHwHxgPaX2PnvP-zyEkDERuf-ry4c_Z11Cq9AqC2yeL6kdKT1cYF8",
    qi: "3PiqvXQN0zwMeE-sBvZgi289XP9XCQF3VWqPzMKnIgQp7_Tugo6-NZBKCQsMf3HaEGBjTVJs_jcK8-TRXvaKe-\
        7ZMaQj8VfBdYkssbu0NKDDhjJ-GtiseaDVWt7dcH0cfwxgFUHpQh7FoCrjFJ6h6ZEpMF6xmujs4qMpPz8aaI4",
};

/// RFC 7517 A.2: the key with which the OIDC issuer signs.
pub(crate) const RFC_7517: Jwk = Jwk {
    n: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_B\
        JECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-\
        65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdk\
        t-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    d: "X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH-HLLKD9M7dx5oo7GURknchnrRweUkC7hT5fJLM0WbFA\
        KNLWY2vv7B6NqXSzUvxT0_YSfqijwp3RTzlBaCxWp4doFk5N2o8Gy_nHNKroADIkJ46pRUohsXywbReAdYaMwFs9\
        tv8d_cPVY3i07a3t8MN6TNwm0dSawm9v47UiCl3Sk5ZiG7xojPLu4sbg1U2jx4IBTNBznbJSzFHK66jT8bgkuqsk\
        0GjskDJk19Z4qwjwbsnn4j2WBii3RL-Us2lGVkY8fkFzme1z0HbIkfz0Y6mqnOYtqc0X4jfcKoAC8Q",
    p: "83i-7IvMGXoMXCskv73TKr8637FiO7Z27zv8oj6pbWUQyLPQBQxtPVnwD20R-\
        60eTDmD2ujnMt5PoqMrm8RfmNhVWDtjjMmCMjOpSXicFHj7XOuVIYQyqVWlWEh6dN36GVZYk93N8Bc9vY41xy8B9\
        RzzOGVQzXvNEvn7O0nVbfs",
    q: "3dfOR9cuYq-0S-\
        mkFLzgItgMEfFzB2q3hWehMuG0oCuqnb3vobLyumqjVZQO1dIrdwgTnCdpYzBcOfW5r370AFXjiWft_NGEiovoni\
        zhKpo9VVS78TzFgxkIdrecRezsZ-1kYd_s1qDbxtkDEgfAITAG9LUnADun4vIcb6yelxk",
    dp: "G4sPXkc6Ya9y8oJW9_ILj4xuppu0lzi_H7VTkS8xj5SdX3coE0oimYwxIi2emTAue0UOa5dpgFGyBJ4c8tQ2VF40\
        2XRugKDTP8akYhFo5tAA77Qe_NmtuYZc3C3m3I24G2GvR5sSDxUyAN2zq8Lfn9EUms6rY3Ob8YeiKkTiBj0",
    dq: "s9lAH9fggBsoFR8Oac2R_E2gw282rT2kGOAhvIllETE1efrA6huUUvMfBcMpn8lqeW6vzznYY5SSQF7pMdC_agI3\
        nG8Ibp1BUb0JUiraRNqUfLhcQb_d9GF4Dh7e74WbRsobRonujTYN1xCaP6TO61jvWrX-L18txXw494Q_cgk",
    qi: "GyM_p6JrXySiz1toFgKbWV-JdI3jQ4ypu9rbMWx3rQJBfmt0FoYzgUIZEVFEcOqwemRN81zoDAaa-\
        Bk0KWNGDjJHZDdDmFhW3AN7lI-\
        puxk_mHZGJ11rxyR8O55XLSe3SPmRfKwZI6yU24ZxvQKFYItdldUKGzO6Ia6zTKhAVRU",
};

/// RFC 9500 2.1, `testRSA4096`: the key under which material is wrapped for import.
pub(crate) const RFC_9500: Jwk = Jwk {
    n: "s4tJYOY75qjbqJqCl47x9jJE5Vd9jPWGFtXKV1nUnMjZNsM4qjy5sRHBSX5bUa9pLyYR5on3Z1SAwLD0w2VPQ6-\
        F_oyK1zTgQqitoF_XZQjgC6D3VsNEO76DPqfRANT7Nn7r1gvbZIZ3_H3rlCRNrRr47tHGWBLAPnxz9_NY6UG8ZkW\
        P97uXpJqYoRgH4CwaO5rTOlc64YDh_0Mq5VgMycq_q2AvMlvNoJfoe8em1040qH1gikP-suT_8fS452hqmEddtRp\
        uvQgXKldBd0kkiyFVyLkG4NVA6Mso9MAK3J_kdYoaw2SrOeThVSiYVEQVP-\
        7GrUxTSLLjj_VQ9fpYM5eTNzDICIG_Ee7o_jhtW1EoSamDmUOr89lyIHaXuOwkEaJhnVXKBCM8WiztxvKG2CnQ6D\
        cge3ZSmqJEhyEmjcAVC7ewfnMxOnE-WJW6rzrf-mA5WMVn-FzyWx2AondWow0aUKHkaY7amhIrsKp6YPfNImyxFl\
        z8-\
        cqDCmBswPsUh_JJ5eDHHIhibFcSgIHedsEjhLbUSLZ_DnEjru90qIWWA3R1VIPykKfeZkZeInsrFzGPikkFKwFF-\
        6KDdyvCmltYEqzO46tigXAZ5UgH8oiXEre48wO6X-FH-\
        cLzQ0q3A8HZRnNDgqCjU_Tgy76iaku_Ic6eteedR1fX3gJ_IOU",
    d: "atGwu3zfIJFP9pTOo3sBS9eGk-gko0ukFkvl0Wh5jToVuXYWbXophEaq9528mPHCo7GDruRglFJ7M6lURjgtG3j_\
        QH2_UOB9mEsg2ayLyumn2mNPJIiSPPVQwmM3fsY4G6kRiMyPH9S86DTGhuG-cQH-\
        HqAh4F5vj_2dRWS7fjOE8lfqmpo6U01DB3zzmpTCmrm3eBtTxbxXOPZuO_rRyPDebgiQq-ZghW47fAFBqxE1VRUa\
        7cgcbbS-7eYKaGsAGE9FWi06uy5oEeHN6jlTC4-\
        uqPgkNnnJ33aXjF4BWFespZ2f5KYtFQmuYmr_jgrflaTrAUnKtxLvPsPWAjKKbFAhuhs1uFg9mpBAVQP1-\
        g9CTHKGI_yB0917_xv3jI4uvQOlES3rZYmYbkm9MAca2EGjzKgHbM_HlGMwsf0cISrT69N9mk0KlpW4FooIiTJ9U\
        m8W0VY3-p2_BLC4Pdi1xAUtxTi2yunJLslwEHovHuTUemXMpblZbkJ0kZvn0eyQ5FD-\
        WFjcLgHoTr2SB9jqIPo3FA6J0BDWUB8iYZcYBN5zaA_mHCNcj05jH_Btve5mbbua-_2juXHDKQ173vXFeFoHG-\
        lK4YoLLtiuZ5q6phCFKKheMX-HqJnFifSorUKQpsoe-fFNjQp6Ztx1C2mxnLJYKMPq8EIhXAmq1KlU6FU",
    p: "4EG98cm1aaz16AItIRuHG18pIUGlif0PbctZR2scHaQBjdeh4Qg5MnRe88Zs9_8xPu1MsWgd750pzD_oevetGenv\
        NFZiycT05ucHqk6ZSWNMCGRxpVtnRsKu74dx7yGi7oq03sTCBDxwz7qJ5esvYuoHx0vUFmdpEqlYn7PtcCiPigPR\
        kcWKiJbosg8e3pGAztMDWfdfSK_pfEbuWcknHnE3VUrXBVYXhI_TBBzWMEf2RiwOZuGDn2PGEtSjV_XldjVqqufG\
        SsC_2dZe30svNNrb32kGIMiVykTZYdoFsTYrStXarLkP9YYzXs1-HXoWAMsas3JpW27HcXYh276TVw",
    q: "zPVRKdO5JMg4p2zTadRunLgT_js5uvHrEBhH0x0JE1ADqy_COUMc2m6ZCIg96KBUbjUoN9TrlctB2O7BSmbNOMIk\
        foKjlDkpJ7v1cKhlXg8qwkPl-\
        4dv0gtIdnOidy2pcMHfR6Mt6op15wlUcyKcaTyIajFtLOy_A1l7BMqeyr2jNm4HZIgFmyRZb1326FaX2-\
        YqsvjMcax_dDtkEm0B8rNhJxbsp2l15RTtTXijIpC-CoLxRBSZK9GAPa3Jg93ydtLK4aCpA_keeL48C8r1jzzpjR\
        I6pshfZVHFcAf-R3rIfgOLmpSsxiDeEiWBBTRKDPs3ZVBejn7IasCG9lVkIw",
    dp: "L3wcMTdpz2-NPkw_rBP9HsGenukcmURZYQE-7U1zzZ7tqVAwecrY-\
        aMEfA_XAQgrMEzlAWevdw5LTHF305ngMG2FdgqYrmqjBMWErP4pnQ2GivxhyAa7rpMIobWHXYA81M_QDp-\
        RCX6W0JWKH4IWLZaqgPvAc-H_sLDlECP0MdyU0D-\
        Qv5IZjGSP7yweeDhNEv5BZmpn5adCBEusqpxaSSrl8YyATSP2pN4ja2qDvANw1Vj8z7IOwdBJn7EgyT5LESWsaXX\
        cWfXIaeLngdaUr1dsWTkO0CBI_2Rmtz6IGAcFUbpIrGwfQfjhpcBTZQB16kMXa0ndnzusxYyjDLmkzw",
    dq: "V1qHCSiv1DlxzAnZ4VUk_66E9uoPJNpOsUFn-1Z4s756kc99HCK6fW590uEeYbNTyNTnG0SoU-\
        OZYPgBcdB2zyYPn8vWJCponALEDQv4iCo2sy11K8sBoaglbjbCm8DeYqx-\
        mW22-CujLKERWTD7MO8XxQrj2S3eC3NrtxMUspw4n84tYG-I1CKd65VE0ql1d8eVk0nu-NPoToWxlRjYp7RESADB\
        RGjyUnyk10v_W5ANLzW31qhg0AgufBtBs-\
        44lOQqjBeJcaQPlK6fsPcDydTQRcvrK4JjBi_f0mvVuGlgYjTony2WpasEev95CdrLZNT9OzUR1_G5QaZk30BtuQ",
    qi: "0QyRjanybalN_zsJJDyMw9Q5Am3mK56fN6xgu9epUssHhJS9c37MOmUMk8Qu1_ZJAgeumWs80f8fTWOdYd3R5xKN\
        VjwcFsiznZTV3l6Tf-ZaOLgZ5Gn4jDzgJSHiranjRuahvVEnx72yHaLGEeNfbInn3WagZssjPvlrrRrTmZQMrQVa\
        31xYefgwqAg8ptbAWFjCZgMKM7-0rYO1zJKfL2yiHlApVCuK6-\
        draUThhj45Rztu2a2San2_4sco4jx09puw4FTxnxRs4Z4dI2tlNDCnHcSnSuIODRQTMWahit9u9_7ZXMRkNf9Mli\
        Mr1WQDzDn7Fq3yJLT964q69JExvw",
};

/// The public exponent of every key here: 65537.
pub(crate) const EXPONENT: [u8; 3] = [1, 0, 1];

/// An RSA public key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    n: Vec<u8>,
    e: Vec<u8>,
}

impl PublicKey {
    /// From the modulus and the exponent, unsigned and big-endian.
    pub fn new(n: &[u8], e: &[u8]) -> Self {
        Self {
            n: trim(n).to_vec(),
            e: trim(e).to_vec(),
        }
    }

    /// The modulus, unsigned and big-endian.
    pub fn modulus(&self) -> &[u8] {
        &self.n
    }

    /// Does `signature` fit `message` under RSASSA-PKCS1-v1_5 with SHA-256 (JWT's RS256)?
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, self.pkcs1())
            .verify(message, signature)
            .is_ok()
    }

    /// The key as PKCS#1 `RSAPublicKey`, DER.
    pub fn pkcs1(&self) -> Vec<u8> {
        der(0x30, &[der_integer(&self.n), der_integer(&self.e)].concat())
    }

    /// The key as `SubjectPublicKeyInfo`, DER: what KMS GetPublicKey answers.
    pub fn spki(&self) -> Vec<u8> {
        // AlgorithmIdentifier { rsaEncryption, NULL }, RFC 3279 section 2.3.1.
        const RSA_ENCRYPTION: [u8; 15] = [
            0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
            0x00,
        ];
        let mut bits = vec![0];
        bits.extend(self.pkcs1());
        der(0x30, &[RSA_ENCRYPTION.to_vec(), der(0x03, &bits)].concat())
    }

    /// The key as a PEM block, `PUBLIC KEY`.
    pub fn pem(&self) -> String {
        crate::codec::pem("PUBLIC KEY", &self.spki())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = base64url(&self.n);
        write!(f, "PublicKey({}...)", n.get(..8).unwrap_or_default())
    }
}

/// An RSA private key, ready to sign.
#[derive(Clone)]
pub struct PrivateKey {
    pair: Arc<KeyPair>,
    public: PublicKey,
    secret: Arc<Components>,
}

/// The integers of a private key, unsigned and big-endian.
pub(crate) struct Components {
    pub(crate) d: Vec<u8>,
    pub(crate) p: Vec<u8>,
    pub(crate) q: Vec<u8>,
    pub(crate) dp: Vec<u8>,
    pub(crate) dq: Vec<u8>,
    pub(crate) qi: Vec<u8>,
}

impl PrivateKey {
    pub(crate) fn published(jwk: &Jwk) -> Self {
        let read = |text| base64url_decode(text).unwrap_or_default();
        let secret = Components {
            d: read(jwk.d),
            p: read(jwk.p),
            q: read(jwk.q),
            dp: read(jwk.dp),
            dq: read(jwk.dq),
            qi: read(jwk.qi),
        };
        #[expect(
            clippy::expect_used,
            reason = "a constant of this file; a test reads each"
        )]
        Self::from_components(PublicKey::new(&read(jwk.n), &EXPONENT), secret)
            .expect("a published key is consistent")
    }

    /// `None` where the integers are not those of one RSA key of 2048 to 4096 bits.
    pub(crate) fn from_components(public: PublicKey, secret: Components) -> Option<Self> {
        let pair = KeyPair::from_components(&KeyPairComponents {
            public_key: PublicKeyComponents {
                n: public.n.as_slice(),
                e: public.e.as_slice(),
            },
            d: secret.d.as_slice(),
            p: secret.p.as_slice(),
            q: secret.q.as_slice(),
            dP: secret.dp.as_slice(),
            dQ: secret.dq.as_slice(),
            qInv: secret.qi.as_slice(),
        })
        .ok()?;
        Some(Self {
            pair: Arc::new(pair),
            public,
            secret: Arc::new(secret),
        })
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs with RSASSA-PKCS1-v1_5 and SHA-256 (JWT's RS256).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.sign_with(&signature::RSA_PKCS1_SHA256, message)
    }

    pub(crate) fn sign_with(&self, padding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        #[expect(
            clippy::expect_used,
            reason = "fails only without the system's random numbers"
        )]
        self.pair
            .sign(padding, &SystemRandom::new(), message, &mut signature)
            .expect("the system gives random numbers");
        signature
    }

    /// The key as a PEM block of PKCS#1, the form that GitHub hands out (RFC 8017 A.1.2).
    pub fn pkcs1_pem(&self) -> String {
        let secret = &self.secret;
        let integers = [
            vec![0x02, 0x01, 0x00],
            der_integer(&self.public.n),
            der_integer(&self.public.e),
            der_integer(&secret.d),
            der_integer(&secret.p),
            der_integer(&secret.q),
            der_integer(&secret.dp),
            der_integer(&secret.dq),
            der_integer(&secret.qi),
        ];
        crate::codec::pem("RSA PRIVATE KEY", &der(0x30, &integers.concat()))
    }

    pub(crate) fn components(&self) -> &Components {
        &self.secret
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(*** of {:?})", self.public)
    }
}

fn trim(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|byte| **byte == 0).count();
    &integer[zeros..]
}

/// One DER element: tag, length, content (X.690).
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    if content.len() < 0x80 {
        out.push(content.len() as u8);
    } else {
        let length = content.len().to_be_bytes();
        let length = trim(&length);
        out.push(0x80 | length.len() as u8);
        out.extend(length);
    }
    out.extend(content);
    out
}

/// A positive DER INTEGER: a leading zero where the first bit is set.
fn der_integer(integer: &[u8]) -> Vec<u8> {
    let integer = trim(integer);
    let mut content = Vec::with_capacity(integer.len() + 1);
    if integer.first().is_none_or(|byte| byte & 0x80 != 0) {
        content.push(0);
    }
    content.extend(integer);
    der(0x02, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_keys_sign_what_their_public_halves_verify() {
        for jwk in [&RFC_7515, &RFC_7520, &RFC_7517, &RFC_9500] {
            let key = PrivateKey::published(jwk);
            let signature = key.sign(b"message");
            assert!(key.public().verify(b"message", &signature));
            assert!(!key.public().verify(b"massage", &signature));
        }
    }

    #[test]
    fn signature_of_rfc_7515_a_2_is_reproduced() {
        let input = "eyJhbGciOiJSUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = PrivateKey::published(&RFC_7515).sign(input.as_bytes());
        assert!(
            base64url(&signature)
                .starts_with("cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7")
        );
        assert!(base64url(&signature).ends_with(
            "hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
        ));
    }

    #[test]
    fn debug_shows_no_private_part() {
        let shown = format!("{:?}", PrivateKey::published(&RFC_7515));
        assert!(shown.contains("***") && !shown.contains(&RFC_7515.d[..8]));
    }
}

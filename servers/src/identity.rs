//! Certificates for tests, with their keys, made in the process.

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

/// A certificate with its key.
#[derive(Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: X509,
    /// The key.
    pub key: PKey<Private>,
}

impl Identity {
    /// Signed by itself, for a server on this machine.
    ///
    /// # Errors
    /// When OpenSSL cannot make it, as in all methods.
    pub fn own() -> Result<Identity, ErrorStack> {
        Identity::new("server", None, false)
    }

    /// Signed by an issuer, else by itself.
    ///
    /// # Errors
    /// When OpenSSL cannot make it.
    pub fn new(
        name: &str,
        issuer: Option<&Identity>,
        is_authority: bool,
    ) -> Result<Identity, ErrorStack> {
        let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&curve)?)?;
        let mut subject = X509NameBuilder::new()?;
        subject.append_entry_by_text("CN", name)?;
        let subject = subject.build();
        let mut serial = BigNum::new()?;
        serial.rand(64, MsbOption::ONE, false)?;
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_serial_number(&*serial.to_asn1_integer()?)?;
        builder.set_subject_name(&subject)?;
        let issuer_name = issuer.map_or(&*subject, |issuer| issuer.certificate.subject_name());
        builder.set_issuer_name(issuer_name)?;
        builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
        builder.set_not_after(&*Asn1Time::days_from_now(2)?)?;
        builder.set_pubkey(&key)?;
        if is_authority {
            builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        } else {
            let mut names = SubjectAlternativeName::new();
            let context = builder.x509v3_context(None, None);
            let names = names.dns("localhost").ip("127.0.0.1").build(&context)?;
            builder.append_extension(names)?;
        }
        let signing = issuer.map_or(&key, |issuer| &issuer.key);
        builder.sign(signing, MessageDigest::sha256())?;
        Ok(Identity { certificate: builder.build(), key })
    }

    /// The certificate as PEM.
    ///
    /// # Errors
    /// When OpenSSL cannot write it.
    pub fn certificate_pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.certificate.to_pem()
    }

    /// The key as PEM, without a password.
    ///
    /// # Errors
    /// When OpenSSL cannot write it.
    pub fn key_pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.key.private_key_to_pem_pkcs8()
    }
}

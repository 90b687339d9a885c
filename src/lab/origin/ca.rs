//! The lab's CA: who vouches for the front ends on a cluster. A folder holds
//!
//! - `ca.crt`, `ca.key`: made once and kept, so that an image that trusts the CA keeps trusting it;
//! - `servers/SITE.crt`, `servers/SITE.key`: a certificate for each front end that speaks TLS, made anew by every [`make`];
//! - `client.crt`, `client.key`: what a front end that asks for a client certificate accepts.
//!
//! Keys can be read by their owner only. The front ends themselves need no `ca.key`: with it they make certificates when they start,
//! without it they take those of `servers/`.

use crate::base::clock::Time;
use crate::outside::site::Site;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The name of the CA, as `curl -v` shows the issuer.
const NAME: &str = "egress-lab outside CA";
const DAY_MS: i64 = 86_400_000;
/// The CA holds ten years; what it signs 825 days, the longest that every client takes.
const CA_DAYS: i64 = 3_650;
const DAYS: i64 = 825;

/// What went wrong with the folder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {why}", path = .path.display())]
    File { path: PathBuf, why: io::Error },
    #[error("{path}: {why}", path = .path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("{folder} has a ca.crt whose ca.key is missing: certificates cannot be made there; name another folder", folder = .0.display())]
    NoKey(PathBuf),
    #[error("{folder} has neither ca.key nor servers/{site}.crt: make them with `egress-lab origin ca --out DIR`", folder = .folder.display())]
    NoCertificate { folder: PathBuf, site: String },
    #[error("a certificate could not be made: {0}")]
    Certificate(String),
}

/// A certificate with its issuer's, and the key.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// What the front ends show: the CA's certificate, and one for each that speaks TLS.
pub struct Certificates {
    pub ca: CertificateDer<'static>,
    pub sites: BTreeMap<String, Identity>,
}

/// A certificate and its key as PEM.
struct Pem {
    certificate: String,
    key: String,
}

/// Fills the folder for these front ends: the CA unless it is there, everything else anew.
///
/// # Errors
/// [`Error`].
pub fn make(folder: &Path, sites: &[Site], now: Time) -> Result<(), Error> {
    let ca = kept(folder, now)?;
    for site in with_tls(sites) {
        write_pair(&folder.join("servers"), &site.id, &issue(&ca, &server(site, now)?)?)?;
    }
    write_pair(folder, "client", &issue(&ca, &client(now))?)
}

/// What the front ends show, from the folder. A folder without a CA gets one.
///
/// # Errors
/// [`Error`].
pub fn certificates(folder: &Path, sites: &[Site], now: Time) -> Result<Certificates, Error> {
    let (certificate, key) = (folder.join("ca.crt"), folder.join("ca.key"));
    let of_folder = certificate.exists() && !key.exists();
    let made = (!of_folder).then(|| kept(folder, now)).transpose()?;
    let ca = match &made {
        Some(ca) => parsed(&certificate, CertificateDer::from_pem_slice(ca.certificate.as_bytes()))?,
        None => parsed(&certificate, CertificateDer::from_pem_slice(&read(&certificate)?))?,
    };
    let mut all = BTreeMap::new();
    for site in with_tls(sites) {
        let path = folder.join("servers").join(&site.id);
        let pem = match &made {
            Some(ca) => issue(ca, &server(site, now)?)?,
            None => pair(folder, site)?,
        };
        let own = parsed(&path, CertificateDer::from_pem_slice(pem.certificate.as_bytes()))?;
        let key = parsed(&path, PrivateKeyDer::from_pem_slice(pem.key.as_bytes()))?;
        all.insert(site.id.clone(), Identity { chain: vec![own, ca.clone()], key });
    }
    Ok(Certificates { ca, sites: all })
}

fn with_tls(sites: &[Site]) -> impl Iterator<Item = &Site> {
    sites.iter().filter(|site| !site.certificate.is_empty())
}

/// The CA of the folder; a new one when there is none.
fn kept(folder: &Path, now: Time) -> Result<Pem, Error> {
    let (certificate, key) = (folder.join("ca.crt"), folder.join("ca.key"));
    match (certificate.exists(), key.exists()) {
        (true, true) => read_pair(folder, "ca"),
        (true, false) => Err(Error::NoKey(folder.into())),
        (false, _) => {
            let key = KeyPair::generate().map_err(certificate_error)?;
            let ca = ca_params(now).self_signed(&key).map_err(certificate_error)?;
            let ca = Pem { certificate: ca.pem(), key: key.serialize_pem() };
            write_pair(folder, "ca", &ca)?;
            Ok(ca)
        }
    }
}

fn pair(folder: &Path, site: &Site) -> Result<Pem, Error> {
    let servers = folder.join("servers");
    match servers.join(format!("{}.crt", site.id)).exists() {
        true => read_pair(&servers, &site.id),
        false => Err(Error::NoCertificate { folder: folder.into(), site: site.id.clone() }),
    }
}

fn issue(ca: &Pem, params: &CertificateParams) -> Result<Pem, Error> {
    let ca_key = KeyPair::from_pem(&ca.key).map_err(certificate_error)?;
    // The CA's name and key are all that an issuer lends to a certificate.
    let issuer = Issuer::new(ca_params(Time::LOGICAL_START), ca_key);
    let key = KeyPair::generate().map_err(certificate_error)?;
    let certificate = params.signed_by(&key, &issuer).map_err(certificate_error)?;
    Ok(Pem { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn server(site: &Site, now: Time) -> Result<CertificateParams, Error> {
    let name = site.certificate.first().map_or(site.id.as_str(), String::as_str);
    let mut params = params(name, now, DAYS);
    params.subject_alt_names = CertificateParams::new(site.certificate.clone()).map_err(certificate_error)?.subject_alt_names;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn client(now: Time) -> CertificateParams {
    let mut params = params("egress-lab client", now, DAYS);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn ca_params(now: Time) -> CertificateParams {
    let mut params = params(NAME, now, CA_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = false;
    params
}

/// Valid from a day before `now`: clocks differ.
fn params(name: &str, now: Time, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let (year, month, day) = now.plus_ms(-DAY_MS).date();
    params.not_before = rcgen::date_time_ymd(year, month, day);
    let (year, month, day) = now.plus_ms((days - 1) * DAY_MS).date();
    params.not_after = rcgen::date_time_ymd(year, month, day);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params
}

fn certificate_error(error: impl std::fmt::Display) -> Error {
    Error::Certificate(error.to_string())
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|why| Error::File { path: path.into(), why })
}

fn parsed<T>(path: &Path, read: Result<T, rustls::pki_types::pem::Error>) -> Result<T, Error> {
    read.map_err(|why| Error::Damaged { path: path.into(), why: why.to_string() })
}

/// What [`write_pair`] wrote.
fn read_pair(folder: &Path, name: &str) -> Result<Pem, Error> {
    let text = |ending: &str| read(&folder.join(format!("{name}.{ending}"))).map(|b| String::from_utf8_lossy(&b).into_owned());
    Ok(Pem { certificate: text("crt")?, key: text("key")? })
}

/// The key first: a certificate is never there without its key.
fn write_pair(folder: &Path, name: &str, pem: &Pem) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|why| Error::File { path: folder.into(), why })?;
    for (ending, text, mode) in [("key", &pem.key, 0o600), ("crt", &pem.certificate, 0o644)] {
        let path = folder.join(format!("{name}.{ending}"));
        write(&path, text, mode).map_err(|why| Error::File { path, why })?;
    }
    Ok(())
}

/// Whole or not at all.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let temporary = path.with_extension("new");
    // A file that is there already would keep its mode.
    let _ = fs::remove_file(&temporary);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::Outside;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn make_in(folder: &Path) {
        make(folder, Outside::standard().sites(), Time::LOGICAL_START).unwrap();
    }

    #[test]
    fn the_ca_is_kept_and_the_rest_made_anew() {
        let folder = folder();
        let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        make_in(folder.path());
        let (ca, server) = (text("ca.crt"), text("servers/wikimedia.crt"));
        make_in(folder.path());
        assert_eq!(text("ca.crt"), ca);
        assert_ne!(text("servers/wikimedia.crt"), server);
        assert!(text("client.key").contains("PRIVATE KEY"));
        assert!(!folder.path().join("servers/neverssl.crt").exists(), "it does not speak TLS");
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder();
        fs::write(folder.path().join("client.key"), "old, open to all").unwrap();
        make_in(folder.path());
        for key in ["ca.key", "client.key", "servers/wikimedia.key"] {
            let mode = fs::metadata(folder.path().join(key)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{key}");
        }
    }

    #[test]
    fn front_ends_start_with_the_key_or_with_what_was_made_with_it() {
        let folder = folder();
        let sites = Outside::standard();
        let with_key = certificates(folder.path(), sites.sites(), Time::LOGICAL_START).unwrap();
        assert!(folder.path().join("ca.key").exists() && !folder.path().join("servers").exists());
        make_in(folder.path());
        fs::remove_file(folder.path().join("ca.key")).unwrap();
        let without = certificates(folder.path(), sites.sites(), Time::LOGICAL_START).unwrap();
        assert_eq!(with_key.ca, without.ca);
        assert_eq!(with_key.sites.keys().collect::<Vec<_>>(), without.sites.keys().collect::<Vec<_>>());
        let kept = read(&folder.path().join("servers/example.crt")).unwrap();
        assert_eq!(without.sites["example"].chain[0], CertificateDer::from_pem_slice(&kept).unwrap());
    }

    #[test]
    fn a_folder_that_will_not_do_says_why() {
        let of = |files: &[(&str, &str)]| {
            let folder = folder();
            files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
            let sites = Outside::standard();
            let read = certificates(folder.path(), sites.sites(), Time::LOGICAL_START).err();
            let made = make(folder.path(), sites.sites(), Time::LOGICAL_START).err();
            (read.map(|e| e.to_string()).unwrap_or_default(), made.map(|e| e.to_string()).unwrap_or_default())
        };
        let good = folder();
        make_in(good.path());
        let ca = fs::read_to_string(good.path().join("ca.crt")).unwrap();
        let (read, made) = of(&[("ca.crt", &ca)]);
        assert!(
            read.contains("neither ca.key nor servers/wikimedia.crt") && made.contains("ca.key is missing"),
            "{read}\n{made}"
        );
        let (read, made) = of(&[("ca.crt", "nonsense"), ("ca.key", "nonsense")]);
        assert!(read.contains("ca.crt") && made.contains("could not be made"), "{read}\n{made}");
    }
}

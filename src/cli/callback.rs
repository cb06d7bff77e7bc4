//! Where participants behind HTTP reach `saga serve`: late replies are posted there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::CliError;
use super::settings::{NAME, Settings};
use crate::participant::address::without_password;
use crate::participant::{Address, remembered};

/// What stands behind the server's own address.
const REPLIES: &str = "/replies";

/// The URL that goes to participants with each command.
#[derive(Clone, Debug)]
pub(super) struct Callback {
    url: String,
    /// Where the server listens, if that does not say where others reach it, and nobody else does.
    unsaid: Option<SocketAddr>,
}

impl Callback {
    /// The server's address as participants see it, as the command line or `saga.toml` say it; nothing if neither does.
    pub(super) fn base(argument: Option<&str>, settings: &Settings) -> Result<Option<String>, CliError> {
        let said = Settings::said("callback", argument, settings.callback.as_deref());
        let Some((text, origin)) = said else { return Ok(None) };
        let refused = |why: &str| {
            let shown = without_password(text);
            CliError::usage(format!(
                "failed to read the address `{shown}`, at which participants reach this server: {why}"
            ))
            .hint(origin.clone())
            .hint("it is a URL such as http://saga.internal:7117; `/replies` is put behind it")
        };
        let url = reqwest::Url::parse(text.trim()).map_err(|error| refused(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("it begins neither with http:// nor with https://"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused("nothing can be put behind `?` or `#`"));
        }
        let base = url.as_str().trim_end_matches('/');
        // As commands say it.
        Ok(Some(base.strip_suffix(REPLIES).unwrap_or(base).to_owned()))
    }

    /// Behind what was said, else of the address at which it listens.
    pub(super) fn of(base: Option<&str>, listens: SocketAddr) -> Self {
        match base {
            Some(base) => Self { url: format!("{base}{REPLIES}"), unsaid: None },
            None => Self {
                url: format!("http://{}{REPLIES}", reachable(listens)),
                unsaid: Some(listens).filter(|listens| listens.ip().is_unspecified()),
            },
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Says once, if any of these is behind HTTP, that it will not find this server from another host.
    pub(super) fn goes_to(&mut self, reached: &remembered::Addresses) {
        if !reached.values().any(|address| matches!(address, Address::Http(_))) {
            return;
        }
        if let Some(listens) = self.unsaid.take() {
            tracing::warn!(
                "participants are told to post late replies to {}, which leads nowhere from another host or container: that this \
                 server listens on {listens} does not say where they reach it; say so: --callback http://HOST:{}, or \
                 `callback` in {NAME}",
                self.url,
                listens.port()
            );
        }
    }
}

/// Where this machine reaches what listens there: an address that stands for all is none to go to.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

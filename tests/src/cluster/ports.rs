//! Free ports on loopback.

use std::net::{Ipv4Addr, TcpListener};

use super::Error;

/// A port that is held until it is given away, so that two clusters that start at the same time
/// do not choose the same one.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    held: Option<TcpListener>,
}

impl Port {
    pub(crate) fn free() -> Result<Self, Error> {
        let listen = || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let number = listener.local_addr()?.port();
            Ok((listener, number))
        };
        let (listener, number) =
            listen().map_err(|source| Error::Start { program: "a listener".into(), source })?;
        Ok(Self { number, held: Some(listener) })
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }

    /// Lets go of the port for the program that is about to listen on it.
    pub(crate) fn release(&mut self) {
        self.held = None;
    }
}

/// A port that was free a moment ago, for a program that is started at once.
pub fn free_port() -> Result<u16, Error> {
    Port::free().map(|port| port.number())
}

//! Which proxy leads to a cluster. kube compares NO_PROXY with the proxy instead of the API server, so
//! the choice is made here, by the rules of Go that kubectl follows.

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;

/// The proxy that the kubeconfig names, or else the one of the environment; none for this machine.
pub(super) fn of(
    server: &Uri,
    named: Option<String>,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Option<Uri>, String> {
    let some = |value: Option<String>| value.filter(|value| !value.trim().is_empty());
    let env = |upper: &str| some(env(upper)).or_else(|| some(env(&upper.to_ascii_lowercase())));
    let (from, url) = if let Some(url) = some(named) {
        ("proxy-url", url)
    } else {
        let name = if server.scheme_str() == Some("http") { "HTTP_PROXY" } else { "HTTPS_PROXY" };
        match env(name) {
            Some(url) if !is_here(server) && !is_exempt(server, &url, env("NO_PROXY")) => {
                (name, url)
            }
            _ => return Ok(None),
        }
    };
    // Without a scheme it is one of HTTP, as for curl.
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    let parsed: Uri = url.parse().map_err(|error| format!("{from} is no URL ({error})"))?;
    match parsed.scheme_str() {
        Some("http" | "https" | "socks5") => Ok(Some(parsed)),
        other => {
            let other = other.unwrap_or_default();
            Err(format!("{from} has the scheme {other:?}; a proxy has http, https or socks5"))
        }
    }
}

fn is_here(server: &Uri) -> bool {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    let address = host.parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn is_exempt(server: &Uri, proxy: &str, exempt: Option<String>) -> bool {
    let matcher = Matcher::builder().all(proxy.to_owned()).no(exempt.unwrap_or_default()).build();
    matcher.intercept(server).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(server: &str, named: Option<&str>, env: &[(&str, &str)]) -> Result<String, String> {
        let value = |name: &str| {
            let found = env.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let proxy = of(&server.parse().unwrap(), named.map(ToOwned::to_owned), value)?;
        Ok(proxy.map_or_else(|| "none".to_owned(), |proxy| proxy.to_string()))
    }

    const CLUSTER: &str = "https://api.cluster.example:6443";

    #[test]
    fn the_kubeconfig_goes_before_the_environment() {
        let env = [("HTTPS_PROXY", "http://env:1"), ("NO_PROXY", "*")];
        assert_eq!(chosen(CLUSTER, Some("socks5://named:2"), &env).unwrap(), "socks5://named:2/");
    }

    #[test]
    fn the_environment_names_one_for_each_scheme() {
        let env = [("https_proxy", "http://s:1"), ("HTTP_PROXY", "http://p:2")];
        assert_eq!(chosen(CLUSTER, None, &env).unwrap(), "http://s:1/");
        assert_eq!(chosen("http://api.example", None, &env).unwrap(), "http://p:2/");
        assert_eq!(chosen(CLUSTER, None, &[("HTTPS_PROXY", "")]).unwrap(), "none");
    }

    #[test]
    fn what_no_proxy_names_and_this_machine_are_reached_without() {
        for exempt in ["cluster.example", "a.b, .cluster.example", "*", "api.cluster.example,"] {
            let env = [("HTTPS_PROXY", "http://env:1"), ("no_proxy", exempt)];
            assert_eq!(chosen(CLUSTER, None, &env).unwrap(), "none", "{exempt}");
        }
        let env = [("HTTPS_PROXY", "http://env:1"), ("NO_PROXY", "10.0.0.0/8,env")];
        assert_eq!(chosen(CLUSTER, None, &env).unwrap(), "http://env:1/");
        assert_eq!(chosen("https://10.1.2.3", None, &env).unwrap(), "none");
        for here in ["https://localhost:6443", "https://127.0.0.1:6443", "https://[::1]:6443"] {
            assert_eq!(chosen(here, None, &[("HTTPS_PROXY", "http://env:1")]).unwrap(), "none");
        }
    }

    #[test]
    fn a_proxy_of_another_kind_is_refused() {
        assert_eq!(
            chosen(CLUSTER, Some("proxy.example:3128"), &[]).unwrap(),
            "http://proxy.example:3128/"
        );
        let error = chosen(CLUSTER, Some("ftp://proxy.example"), &[]).unwrap_err();
        assert!(error.contains("http, https or socks5"), "{error}");
    }
}

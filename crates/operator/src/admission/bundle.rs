//! A caBundle that several replicas share: the authorities of each, as PEM, under a line that says
//! whose one is and until when. Readers of PEM skip such lines (RFC 7468, 5.2).

use jiff::Timestamp;

/// Two of each replica, so that a certificate is trusted before and after it is renewed.
const OF_EACH: usize = 2;
/// Authorities of ours, of all replicas. The oldest go: those of processes that were killed.
const OURS: usize = 16;

const BEGINS: &str = "# throughline ";
const ENDS: &str = "-----END CERTIFICATE-----";

/// A part of a bundle, up to the end of a certificate.
struct Part<'a> {
    text: &'a str,
    /// Whose it is, and until when it is good; none if it is not ours.
    ours: Option<(&'a str, Timestamp)>,
}

/// The bundle with an authority of this replica, and without those that are over.
pub(super) fn with(
    bundle: &str,
    (replica, until): (&str, Timestamp),
    authority: &str,
    now: Timestamp,
) -> String {
    let authority = authority.trim();
    let added = format!("{BEGINS}{replica} until {until}\n{authority}\n");
    let mut parts = valid(bundle, now);
    if !parts.iter().any(|part| part.text.contains(authority)) {
        parts.push(Part { text: &added, ours: Some((replica, until)) });
    }
    limit(&mut parts, OF_EACH, |of| of == replica);
    limit(&mut parts, OURS, |_| true);
    join(&parts)
}

/// The bundle without authorities of this replica, and without those that are over.
pub(super) fn without(bundle: &str, replica: &str, now: Timestamp) -> String {
    let mut parts = valid(bundle, now);
    parts.retain(|part| part.ours.is_none_or(|(of, _)| of != replica));
    join(&parts)
}

fn valid(bundle: &str, now: Timestamp) -> Vec<Part<'_>> {
    let mut parts: Vec<_> = bundle.split_inclusive(ENDS).map(part).collect();
    parts.retain(|part| part.ours.is_none_or(|(_, until)| until > now));
    parts
}

fn part(text: &str) -> Part<'_> {
    let text = text.trim();
    let ours = text.lines().find_map(|line| {
        let (replica, until) = line.strip_prefix(BEGINS)?.split_once(" until ")?;
        Some((replica, until.trim().parse().ok()?))
    });
    Part { text, ours }
}

/// Keeps the newest so many of ours of these replicas.
fn limit(parts: &mut Vec<Part<'_>>, most: usize, of: impl Fn(&str) -> bool) {
    loop {
        let counted = parts.iter().enumerate().filter_map(|(place, part)| {
            let (replica, until) = part.ours?;
            of(replica).then_some((until, place))
        });
        let counted: Vec<_> = counted.collect();
        let oldest = counted.iter().min().filter(|_| counted.len() > most);
        let Some((_, place)) = oldest else { return };
        parts.remove(*place);
    }
}

fn join(parts: &[Part<'_>]) -> String {
    let texts = parts.iter().map(|part| part.text.trim()).filter(|text| !text.is_empty());
    let lines: Vec<&str> = texts.flat_map(|text| [text, "\n"]).collect();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hour * 3600).unwrap()
    }

    fn pem(name: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn each_replica_adds_its_own_and_takes_only_its_own_away() {
        let one = with("", ("a", at(48)), &pem("A"), at(0));
        let both = with(&one, ("b", at(49)), &pem("B"), at(1));
        assert_eq!(both.matches("BEGIN").count(), 2, "{both}");
        assert_eq!(with(&both, ("b", at(49)), &pem("B"), at(1)), both);
        assert_eq!(without(&both, "b", at(1)), one);
        assert_eq!(without(&one, "a", at(1)), "");
    }

    #[test]
    fn what_is_over_goes_whosever_it_is_and_what_is_foreign_stays() {
        let foreign = format!("# of a person\n{}", pem("F"));
        let bundle = with(&foreign, ("killed", at(48)), &pem("K"), at(0));
        let later = with(&bundle, ("b", at(100)), &pem("B"), at(60));
        assert!(later.starts_with(&foreign) && !later.contains("killed"), "{later}");
        assert_eq!(without(&later, "b", at(60)), foreign);
    }

    #[test]
    fn the_one_before_is_trusted_until_the_next_but_one() {
        let mut bundle = String::new();
        for (hour, name) in [(0, "first"), (24, "second"), (36, "third")] {
            bundle = with(&bundle, ("a", at(hour + 48)), &pem(name), at(hour));
        }
        assert!(!bundle.contains("first"), "{bundle}");
        assert!(bundle.contains("second") && bundle.contains("third"), "{bundle}");
    }

    #[test]
    fn those_of_many_that_were_killed_do_not_pile_up() {
        let mut bundle = pem("F");
        for n in 0..50 {
            bundle = with(&bundle, (&format!("r{n}"), at(48 + n)), &pem(&format!("C{n}")), at(0));
        }
        assert_eq!(bundle.matches("BEGIN").count(), OURS + 1);
        assert!(bundle.contains("\nC49\n") && bundle.contains("\nF\n") && !bundle.contains("C0\n"));
    }
}

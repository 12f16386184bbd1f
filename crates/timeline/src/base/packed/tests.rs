use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

#[test]
fn what_is_alike_takes_little_room() {
    let mut writer = Writer::default();
    writer.text(Text::Digits, "6d5694bbbf");
    assert_eq!(writer.len(), 6);
    writer.text(Text::Digits, "6d5694bbbf");
    assert_eq!(writer.len(), 7);
    writer.text(Text::Digits, "7c9xz4d8qz");
    assert_eq!(writer.len(), 14);
    writer.text(Text::Version, "2.13.0-rc.1");
    let before = writer.len();
    writer.text(Text::Version, "2.13.0-rc.2");
    assert_eq!(writer.len() - before, 2);
    let before = writer.len();
    writer.text(Text::Version, "2.13.0-rc.1");
    assert_eq!(writer.len() - before, 1);
}

#[test]
fn one_number_that_goes_on_takes_two_bytes_wherever_it_stands() {
    let pairs = [
        ("1.9.3", "1.10.3"),
        ("7", "8"),
        ("v2.0.0-rc.9-linux", "v2.0.0-rc.10-linux"),
        ("2.40.1", "2.39.1"),
        ("shop-1-6b86b273", "shop-2-6b86b273"),
    ];
    for (earlier, text) in pairs {
        let mut writer = Writer::default();
        writer.text(Text::Version, earlier);
        let before = writer.len();
        writer.text(Text::Version, text);
        assert_eq!(writer.len() - before, 2, "{earlier} {text}");
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.text(Text::Version).as_deref(), Some(earlier));
        assert_eq!(reader.text(Text::Version).as_deref(), Some(text));
    }
}

#[test]
fn a_number_that_came_lately_takes_one_byte() {
    let mut writer = Writer::default();
    let numbers: Vec<u64> = (0..70).map(|n| n * 1_000_000).collect();
    for number in &numbers {
        writer.one_of_few(*number);
    }
    let before = writer.len();
    let again = [69_000_000, 69_000_000, 20_000_000, 69_000_000];
    for number in &again {
        writer.one_of_few(*number);
    }
    assert_eq!(writer.len() - before, 4);
    let bytes = writer.finish();
    let mut reader = Reader::new(&bytes);
    for number in numbers.iter().chain(&again) {
        assert_eq!(reader.one_of_few(), Some(*number));
    }
    assert!(reader.is_at_end());
}

#[test]
fn bytes_that_are_cut_or_wrong_are_none() {
    for bytes in [&[][..], &[0x80], &[0xff; 40], &[0x12, 1, 2, 3], &[0x3b]] {
        let mut reader = Reader::new(bytes);
        while reader.text(Text::Name).is_some() {}
        let mut reader = Reader::new(bytes);
        while reader.time().is_some() {}
        let mut reader = Reader::new(bytes);
        while reader.traceparent().is_some() {}
    }
}

proptest! {
    #[test]
    fn any_text_and_number_and_time_is_read_as_it_was_written(
        texts in prop::collection::vec(
            prop_oneof![".{0,40}", "[0-9a-f]{0,16}", "[bcdf2456789]{0,32}", "v?[0-9]{1,3}\\.[01]?[0-9]", "[0-9]{17,21}", "shop-[0-9]\\.[0-9]-[a-f]{4}"],
            0..24,
        ),
        numbers in prop::collection::vec((any::<u64>(), any::<i64>()), 0..8),
        times in prop::collection::vec((-377_705_023_201i64..=253_402_207_200, 0i32..1_000_000_000), 0..8),
    ) {
        let times: Vec<Timestamp> = times
            .into_iter()
            .filter_map(|(second, nano)| Timestamp::new(second, nano).ok())
            .flat_map(|at| [at, Timestamp::from_second(at.as_second()).unwrap_or(at)])
            .collect();
        let mut writer = Writer::default();
        for text in &texts {
            writer.text(Text::Name, text);
        }
        for text in &texts {
            writer.text_around(Text::Words, text, "b");
            writer.text_around(Text::Words, &format!("\u{1}{text}"), text);
        }
        for (number, signed) in &numbers {
            writer.number(*number);
            writer.signed(*signed);
            writer.one_of_few(*number % 5);
            writer.one_of_few(*number);
            writer.bits((*number >> 32) as u32);
        }
        for at in &times {
            writer.time(*at);
        }
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        for text in &texts {
            let read = reader.text(Text::Name);
            prop_assert_eq!(read.as_deref(), Some(text.as_str()));
        }
        for text in &texts {
            let read = reader.text_around(Text::Words, "b");
            prop_assert_eq!(read.as_deref(), Some(text.as_str()));
            let read = reader.text_around(Text::Words, text);
            prop_assert_eq!(read, Some(format!("\u{1}{text}").into()));
        }
        for (number, signed) in &numbers {
            prop_assert_eq!(reader.number(), Some(*number));
            prop_assert_eq!(reader.signed(), Some(*signed));
            prop_assert_eq!(reader.one_of_few(), Some(*number % 5));
            prop_assert_eq!(reader.one_of_few(), Some(*number));
            prop_assert_eq!(reader.bits(), Some((*number >> 32) as u32));
        }
        for at in &times {
            prop_assert_eq!(reader.time(), Some(*at));
        }
        prop_assert!(reader.is_at_end());
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut reader = Reader::new(&bytes);
        while reader.text(Text::Words).is_some() || reader.time().is_some() || reader.one_of_few().is_some() {}
    }
}

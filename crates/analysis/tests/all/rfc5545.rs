//! The examples of RFC 5545, 3.8.5.3, all of them, in the notation of the standard: `1997 Sep 2-11; Oct 1,4`. Times
//! are 09:00 in New York unless the example says otherwise. The UNTIL of the three-hour example is the erratum's.

use holdpoint_analysis::calendar::{Exclusion, Recurrence, Rule, Start, zone};
use jiff::civil::{DateTime, date};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads `1997 Sep 2-11; Oct 1,4; 1998 Jan 1`.
fn dates(text: &str, times: &[(i8, i8)]) -> Vec<DateTime> {
    let mut year = 0;
    let mut all = Vec::new();
    for part in text.split(';') {
        let mut words: Vec<&str> = part.split_whitespace().collect();
        if words.len() == 3 {
            year = words.remove(0).parse().unwrap();
        }
        let month = MONTHS.iter().position(|month| *month == words[0]).unwrap() as i8 + 1;
        for days in words[1].split(',') {
            let (first, last) = days.split_once('-').unwrap_or((days, days));
            for day in first.parse::<i8>().unwrap()..=last.parse().unwrap() {
                all.extend(times.iter().map(|(hour, minute)| date(year, month, day).at(*hour, *minute, 0, 0)));
            }
        }
    }
    all
}

struct Example {
    start: &'static str,
    rule: &'static str,
    expected: Vec<DateTime>,
    forever: bool,
    except: Option<DateTime>,
}

fn example(start: &'static str, rule: &'static str, expected: &str) -> Example {
    Example { start, rule, expected: dates(expected, &[(9, 0)]), forever: false, except: None }
}

fn forever(start: &'static str, rule: &'static str, expected: &str) -> Example {
    Example { forever: true, ..example(start, rule, expected) }
}

fn at_times(rule: &'static str, expected: &str, times: &[(i8, i8)]) -> Example {
    Example { expected: dates(expected, times), ..example("19970902T090000", rule, expected) }
}

const JANUARIES: &str = "1998 Jan 1-31; 1999 Jan 1-31; 2000 Jan 1-31";

fn daily_and_weekly() -> Vec<Example> {
    let tuesday = "19970902T090000";
    vec![
        example(tuesday, "FREQ=DAILY;COUNT=10", "1997 Sep 2-11"),
        example(tuesday, "FREQ=DAILY;UNTIL=19971224T000000Z", "1997 Sep 2-30; Oct 1-31; Nov 1-30; Dec 1-23"),
        forever(tuesday, "FREQ=DAILY;INTERVAL=2", "1997 Sep 2,4,6,8,10,12,14,16,18,20,22,24,26,28,30; Oct 2,4,6"),
        example(tuesday, "FREQ=DAILY;INTERVAL=10;COUNT=5", "1997 Sep 2,12,22; Oct 2,12"),
        example("19980101T090000", "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA", JANUARIES),
        example("19980101T090000", "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", JANUARIES),
        example(tuesday, "FREQ=WEEKLY;COUNT=10", "1997 Sep 2,9,16,23,30; Oct 7,14,21,28; Nov 4"),
        example(tuesday, "FREQ=WEEKLY;UNTIL=19971224T000000Z", "1997 Sep 2,9,16,23,30; Oct 7,14,21,28; Nov 4,11,18,25; Dec 2,9,16,23"),
        forever(tuesday, "FREQ=WEEKLY;INTERVAL=2;WKST=SU", "1997 Sep 2,16,30; Oct 14,28; Nov 11,25; Dec 9,23; 1998 Jan 6,20; Feb 3,17"),
        example(tuesday, "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", "1997 Sep 2,4,9,11,16,18,23,25,30; Oct 2"),
        example(tuesday, "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", "1997 Sep 2,4,9,11,16,18,23,25,30; Oct 2"),
        example(
            "19970901T090000",
            "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
            "1997 Sep 1,3,5,15,17,19,29; Oct 1,3,13,15,17,27,29,31; Nov 10,12,14,24,26,28; Dec 8,10,12,22",
        ),
        example(tuesday, "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", "1997 Sep 2,4,16,18,30; Oct 2,14,16"),
        example("19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997 Aug 5,10,19,24"),
        example("19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997 Aug 5,17,19,31"),
    ]
}

fn monthly() -> Vec<Example> {
    let tuesday = "19970902T090000";
    vec![
        example(
            "19970905T090000",
            "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
            "1997 Sep 5; Oct 3; Nov 7; Dec 5; 1998 Jan 2; Feb 6; Mar 6; Apr 3; May 1; Jun 5",
        ),
        example("19970905T090000", "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", "1997 Sep 5; Oct 3; Nov 7; Dec 5"),
        example(
            "19970907T090000",
            "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
            "1997 Sep 7,28; Nov 2,30; 1998 Jan 4,25; Mar 1,29; May 3,31",
        ),
        example("19970922T090000", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "1997 Sep 22; Oct 20; Nov 17; Dec 22; 1998 Jan 19; Feb 16"),
        forever("19970928T090000", "FREQ=MONTHLY;BYMONTHDAY=-3", "1997 Sep 28; Oct 29; Nov 28; Dec 29; 1998 Jan 29; Feb 26"),
        example(tuesday, "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", "1997 Sep 2,15; Oct 2,15; Nov 2,15; Dec 2,15; 1998 Jan 2,15"),
        example(
            "19970930T090000",
            "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
            "1997 Sep 30; Oct 1,31; Nov 1,30; Dec 1,31; 1998 Jan 1,31; Feb 1",
        ),
        example("19970910T090000", "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", "1997 Sep 10-15; 1999 Mar 10-13"),
        forever(
            tuesday,
            "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
            "1997 Sep 2,9,16,23,30; Nov 4,11,18,25; 1998 Jan 6,13,20,27; Mar 3,10,17,24,31",
        ),
        Example {
            except: Some(date(1997, 9, 2).at(9, 0, 0, 0)),
            ..forever(tuesday, "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "1998 Feb 13; Mar 13; Nov 13; 1999 Aug 13; 2000 Oct 13")
        },
        forever(
            "19970913T090000",
            "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
            "1997 Sep 13; Oct 11; Nov 8; Dec 13; 1998 Jan 10; Feb 7; Mar 7; Apr 11; May 9; Jun 13",
        ),
        example("19970904T090000", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997 Sep 4; Oct 7; Nov 6"),
        forever(
            "19970929T090000",
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
            "1997 Sep 29; Oct 30; Nov 27; Dec 30; 1998 Jan 29; Feb 26; Mar 30",
        ),
        example("20070115T090000", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "2007 Jan 15,30; Feb 15; Mar 15,30"),
    ]
}

fn yearly() -> Vec<Example> {
    vec![
        example(
            "19970610T090000",
            "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
            "1997 Jun 10; Jul 10; 1998 Jun 10; Jul 10; 1999 Jun 10; Jul 10; 2000 Jun 10; Jul 10; 2001 Jun 10; Jul 10",
        ),
        example(
            "19970310T090000",
            "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
            "1997 Mar 10; 1999 Jan 10; Feb 10; Mar 10; 2001 Jan 10; Feb 10; Mar 10; 2003 Jan 10; Feb 10; Mar 10",
        ),
        example(
            "19970101T090000",
            "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
            "1997 Jan 1; Apr 10; Jul 19; 2000 Jan 1; Apr 9; Jul 18; 2003 Jan 1; Apr 10; Jul 19; 2006 Jan 1",
        ),
        forever("19970519T090000", "FREQ=YEARLY;BYDAY=20MO", "1997 May 19; 1998 May 18; 1999 May 17"),
        forever("19970512T090000", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997 May 12; 1998 May 11; 1999 May 17"),
        forever("19970313T090000", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "1997 Mar 13,20,27; 1998 Mar 5,12,19,26; 1999 Mar 4,11,18,25"),
        forever(
            "19970605T090000",
            "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
            "1997 Jun 5,12,19,26; Jul 3,10,17,24,31; Aug 7,14,21,28; 1998 Jun 4,11,18,25; Jul 2,9,16,23,30; \
             Aug 6,13,20,27; 1999 Jun 3,10,17,24; Jul 1,8,15,22,29; Aug 5,12,19,26",
        ),
        forever(
            "19961105T090000",
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            "1996 Nov 5; 2000 Nov 7; 2004 Nov 2",
        ),
    ]
}

fn within_the_day() -> Vec<Example> {
    let twenties: Vec<(i8, i8)> = (9..=16).flat_map(|hour| [0, 20, 40].map(|minute| (hour, minute))).collect();
    let working =
        Example { forever: true, ..at_times("FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40", "1997 Sep 2-4", &twenties) };
    let minutely =
        Example { forever: true, ..at_times("FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16", "1997 Sep 2-4", &twenties) };
    let quarters = [(9, 0), (9, 15), (9, 30), (9, 45), (10, 0), (10, 15)];
    vec![
        at_times("FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z", "1997 Sep 2", &[(9, 0), (12, 0), (15, 0)]),
        at_times("FREQ=MINUTELY;INTERVAL=15;COUNT=6", "1997 Sep 2", &quarters),
        at_times("FREQ=MINUTELY;INTERVAL=90;COUNT=4", "1997 Sep 2", &[(9, 0), (10, 30), (12, 0), (13, 30)]),
        working,
        minutely,
    ]
}

#[test]
fn all_42_examples_of_the_standard() {
    let examples: Vec<Example> = [daily_and_weekly(), monthly(), yearly(), within_the_day()].into_iter().flatten().collect();
    assert_eq!(examples.len(), 42);
    for example in examples {
        let rule: Rule = example.rule.parse().unwrap();
        let (start, _) = Start::parse(example.start).unwrap();
        let mut recurrence = Recurrence::new(start, zone("America/New_York").unwrap(), Some(rule)).unwrap();
        if let Some(except) = example.except {
            recurrence.exclude(Exclusion::Local(except));
        }
        let one_more = example.expected.len() + usize::from(!example.forever);
        let found: Vec<DateTime> = recurrence.occurrences().take(one_more).map(|occurrence| occurrence.local).collect();
        assert_eq!(found, example.expected, "{}", example.rule);
    }
}

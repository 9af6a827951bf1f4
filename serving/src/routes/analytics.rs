//! Revenue by period and currency, as finely as asked for: sums over the rows that the core keeps.

use crate::app::App;
use crate::http::answer::ApiResponse;
use crate::http::call::ApiRequest;
use crate::http::list::{PageBuilder, PageLimit};
use crate::http::problem::Problem;
use crate::shop::RevenueSlot;
use dataflows::contract::money::{Currency, Money};
use dataflows::contract::time::Timestamp;
use dataflows::views::revenue::{Grain, Period, Sums};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// By what rows are split, beside period and currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Country,
    Category,
}

impl Group {
    const fn name(self) -> &'static str {
        match self {
            Group::Country => "country",
            Group::Category => "category",
        }
    }
}

/// The query for revenue.
struct RevenueQuery {
    grain: Grain,
    groups: Vec<Group>,
    from: Option<Period>,
    to: Option<Period>,
}

impl RevenueQuery {
    fn read(call: &ApiRequest) -> Result<RevenueQuery, Problem> {
        let by = call.query.get("by").unwrap_or(Grain::Day.name());
        let grain = Grain::ALL.into_iter().find(|grain| grain.name() == by);
        let grain = grain.ok_or_else(|| Problem::invalid("/by", "by is hour, day or month"))?;
        let mut groups = Vec::new();
        for name in call.query.get("group").iter().flat_map(|list| list.split(',')) {
            let group = [Group::Country, Group::Category].into_iter().find(|group| group.name() == name);
            match group.filter(|group| !groups.contains(group)) {
                Some(group) => groups.push(group),
                None => return Err(Problem::invalid("/group", "group is country, category, or both, each once")),
            }
        }
        let period = |name: &'static str| {
            let text = call.query.get(name);
            let wrong =
                || Problem::invalid(format!("/{name}"), format!("{name} is a period of {by}, like {}", example(grain)));
            text.map(|text| period_of(grain, text).ok_or_else(wrong)).transpose()
        };
        let (from, to) = range(period("from")?, period("to")?)?;
        Ok(RevenueQuery { grain, groups, from, to })
    }

    fn is_split(&self) -> bool {
        self.groups.contains(&Group::Category)
    }
}

/// The ends of a range that is not empty, as far as they are given.
pub fn range<T: PartialOrd>(from: Option<T>, to: Option<T>) -> Result<(Option<T>, Option<T>), Problem> {
    if let (Some(from), Some(to)) = (&from, &to)
        && from >= to
    {
        return Err(Problem::invalid("/to", "to lies after from, and is not in the range itself"));
    }
    Ok((from, to))
}

const fn example(grain: Grain) -> &'static str {
    match grain {
        Grain::Hour => "2010-12-09T15:00Z",
        Grain::Day => "2010-12-09",
        Grain::Month => "2010-12",
    }
}

/// Reads a period as rows show it.
pub fn period_of(grain: Grain, text: &str) -> Option<Period> {
    let begin = match grain {
        Grain::Hour => text.strip_suffix('Z').map(|text| format!("{text}:00Z")),
        Grain::Day => Some(format!("{text}T00:00:00Z")),
        Grain::Month => Some(format!("{text}-01T00:00:00Z")),
    };
    let period = begin.and_then(|begin| Timestamp::parse(&begin).ok()).map(|begin| grain.period(begin));
    period.filter(|period| period.to_string() == text)
}

/// A row of the answer. Serializes as `{period, currency, …groups, gross, …}`.
struct RevenueRowJson<'a> {
    period: Period,
    currency: Currency,
    groups: &'a [Group],
    values: &'a [SmolStr],
    sums: Sums,
}

impl Serialize for RevenueRowJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Sums { gross, returned, adjusted, orders, units, units_returned } = self.sums;
        let money = |amount: i128| Money::new(amount, self.currency);
        let mut row = serializer.serialize_map(None)?;
        row.serialize_entry("period", &self.period)?;
        row.serialize_entry("currency", &self.currency)?;
        for (group, value) in self.groups.iter().zip(self.values) {
            row.serialize_entry(group.name(), value)?;
        }
        row.serialize_entry("gross", &money(gross))?;
        row.serialize_entry("returned", &money(returned))?;
        row.serialize_entry("adjusted", &money(adjusted))?;
        row.serialize_entry("net", &money(self.sums.net()))?;
        row.serialize_entry("orders", &orders)?;
        row.serialize_entry("units", &units)?;
        row.serialize_entry("units_returned", &units_returned)?;
        row.end()
    }
}

/// The sums of one period and currency, by group.
type Sections = BTreeMap<Vec<SmolStr>, Sums>;

/// The start of a page: after those groups of that period and currency.
struct After {
    period: Period,
    currency: Currency,
    values: Vec<SmolStr>,
}

impl After {
    fn read(text: &str, grain: Grain) -> Option<After> {
        let mut parts: Vec<SmolStr> = serde_json::from_str(text).ok()?;
        let values = parts.split_off(2.min(parts.len()));
        let period = period_of(grain, parts.first()?)?;
        Some(After { period, currency: Currency::parse(parts.get(1)?)?, values })
    }
}

/// `GET /analytics/revenue?by=hour|day|month&group=country,category&from=&to=`
pub async fn revenue(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let asked = RevenueQuery::read(&call)?;
    let mut page = PageBuilder::of(&app, &call, PageLimit::Wide).await?;
    let after = page.after.as_deref().and_then(|text| After::read(text, asked.grain));
    let rows = page
        .reading
        .views()
        .revenue
        .indexes
        .by_slot
        .range((start(&asked, after.as_ref()), Bound::Unbounded), page.reading.at());
    let mut at: Option<(Period, Currency)> = None;
    let mut sections = Sections::new();
    let at_once = app.config.scan_rows_at_once;
    for (seen, ((grain, is_split, period, currency, country, category), row)) in rows.enumerate() {
        if (grain, is_split) != (asked.grain, asked.is_split()) || asked.to.is_some_and(|to| period >= to) {
            break;
        }
        if at != Some((period, currency)) {
            if !push(&mut page, &asked, after.as_ref(), at, &mut sections)? {
                return page.answer(&call);
            }
            at = Some((period, currency));
        }
        let values = asked.groups.iter().map(|group| match group {
            Group::Country => country.clone(),
            Group::Category => category.clone(),
        });
        sections.entry(values.collect()).or_default().add(&row.sums);
        if seen % at_once == at_once - 1 {
            tokio::task::yield_now().await;
        }
    }
    push(&mut page, &asked, after.as_ref(), at, &mut sections)?;
    page.answer(&call)
}

/// The start of the scan: a period and currency are summed whole, also where a page begins within.
fn start(asked: &RevenueQuery, after: Option<&After>) -> Bound<RevenueSlot> {
    let begin = asked.from.unwrap_or_else(|| asked.grain.period(Timestamp::from_micros(i64::MIN)));
    let (period, currency) = after.map_or((begin, Currency::FIRST), |after| (after.period, after.currency));
    Bound::Included((asked.grain, asked.is_split(), period, currency, SmolStr::default(), SmolStr::default()))
}

/// Puts the sums of one period and currency on the page; false once it is full.
fn push(
    page: &mut PageBuilder<'_>,
    asked: &RevenueQuery,
    after: Option<&After>,
    at: Option<(Period, Currency)>,
    sections: &mut Sections,
) -> Result<bool, Problem> {
    let Some((period, currency)) = at else { return Ok(true) };
    for (values, sums) in std::mem::take(sections) {
        let seen =
            after.is_some_and(|after| (after.period, after.currency) == (period, currency) && values <= after.values);
        if seen || sums == Sums::default() {
            continue;
        }
        let mut key = vec![SmolStr::new(period.to_string()), SmolStr::new(currency.as_str())];
        key.extend(values.iter().cloned());
        let key = serde_json::to_string(&key).map_err(crate::http::list::internal)?;
        let row = RevenueRowJson { period, currency, groups: &asked.groups, values: &values, sums };
        if !page.push(&key, &row)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_read_as_it_is_written_and_in_no_other_form() {
        for (grain, text) in Grain::ALL.map(|grain| (grain, example(grain))) {
            assert_eq!(period_of(grain, text).map(|period| period.to_string()).as_deref(), Some(text));
        }
        for text in ["2010-13", "2010-12-01", "10-12", "", "2010-1"] {
            assert!(period_of(Grain::Month, text).is_none(), "{text}");
        }
        assert!(period_of(Grain::Hour, "2010-12-09T15:30Z").is_none());
    }
}

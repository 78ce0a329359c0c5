//! The devices of a machine, as its engine tells of them or its labels do.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::devices::{Amount, Demand, GPU, Held, kind_and_vendor};

/// What the labels begin with that tell of devices: `device.gpu=2`.
const LABEL: &str = "device.";
/// The shares of what anybody may use.
const UNLIMITED: u32 = u32::MAX;

/// The devices of one kind on one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// How many there are; `None` when there are some and nobody says how many.
    pub count: Option<u32>,
    /// Their IDs, where they are told; those of others are their numbers, from 0.
    pub ids: Vec<String>,
    /// Other names of them, of which nobody says what they are names of.
    pub names: Vec<String>,
    /// Who made them; `None` when that is not told.
    pub vendor: Option<String>,
    /// What they can do; `None` when that is not told.
    pub abilities: Option<Vec<String>>,
    /// How many containers may hold one at once: one of what somebody has counted, any number of what was only found.
    pub shares: u32,
}

/// Why devices are not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// They are of another make, or cannot do something: how they are.
    Unlike(String),
    /// One that was named is not there.
    Unknown(String),
    /// One that was named is held by as many as may: by how many.
    Taken(String, u64),
    /// Too few are free: how many are, of how many.
    Few(u64, u64),
}

impl Stock {
    /// Reads what there is, by kind; a label goes before what the engine says.
    pub fn of(labels: &BTreeMap<String, String>, info: &Value) -> BTreeMap<String, Self> {
        let mut all = BTreeMap::new();
        if info["Runtimes"].get("nvidia").is_some() {
            all.insert(GPU.to_owned(), Self::of_vendor(Some("nvidia".to_owned())));
        }
        all.extend(discovered(info));
        all.extend(generic(info));
        for (key, value) in labels {
            let kind = key.strip_prefix(LABEL).filter(|kind| !kind.contains('.'));
            let Some(kind) = kind.filter(|kind| !kind.is_empty()) else {
                continue;
            };
            let (kind, vendor) = kind_and_vendor(kind);
            let stock = Self::of_vendor(vendor).with(value);
            all.insert(kind, stock);
        }
        for (kind, stock) in &mut all {
            stock.refine(labels, kind);
        }
        all
    }

    fn of_vendor(vendor: Option<String>) -> Self {
        Self {
            vendor,
            shares: 1,
            ..Self::default()
        }
    }

    /// Takes a number, or a list of IDs.
    fn with(mut self, text: &str) -> Self {
        match text.trim().parse() {
            Ok(count) => self.count = Some(count),
            Err(_) => {
                let ids = words(text);
                self.count = u32::try_from(ids.len()).ok();
                self.ids = ids;
            }
        }
        self
    }

    /// Takes what labels say beside: `device.gpu.vendor`, `device.gpu.can`, `device.gpu.shares` (0 for any number).
    fn refine(&mut self, labels: &BTreeMap<String, String>, kind: &str) {
        let label = |what: &str| labels.get(&format!("{LABEL}{kind}.{what}"));
        if let Some(vendor) = label("vendor") {
            self.vendor = Some(vendor.to_ascii_lowercase());
        }
        if let Some(abilities) = label("can") {
            self.abilities = Some(words(abilities));
        }
        match label("shares").and_then(|text| text.trim().parse().ok()) {
            Some(0) => self.shares = UNLIMITED,
            Some(shares) => self.shares = shares,
            None => {}
        }
    }

    /// Tells whether a device of this ID, or with this number, is there.
    pub fn has(&self, id: &str) -> bool {
        self.count.is_none() || self.number(id).is_some() || self.is_name(id)
    }

    /// Checks that what is asked for is there and free of what is held.
    ///
    /// # Errors
    /// Says what is not.
    pub fn spare(&self, asked: &[&Demand], held: &Held) -> Result<(), Lack> {
        for demand in asked {
            self.is_like(demand)?;
        }
        let Some(count) = self.count.map(u64::from) else {
            return Ok(());
        };
        let mut wanted = Held::default();
        for demand in asked {
            if let Amount::These(ids) = &demand.amount {
                self.all_free(ids, held)?;
            }
            wanted.add(&demand.amount);
        }
        let slots = |of: &Held| {
            let named: u64 = of.these.values().sum();
            named
                .saturating_add(of.count)
                .saturating_add(of.all.saturating_mul(count))
        };
        let most = count.saturating_mul(self.shares.into());
        let (most, free) = match self.shares {
            UNLIMITED => (count, count),
            _ => (most, most.saturating_sub(slots(held))),
        };
        let wants = slots(&wanted);
        let needs_one = wanted.all > 0 && count == 0;
        if wants > free.min(count) || needs_one {
            return Err(Lack::Few(free, most));
        }
        if wanted.all > 0 {
            // Enough are free in sum; none of those that were named may be held by as many as may.
            let named = held.these.keys().filter(|id| self.number(id).is_some());
            self.all_free(&named.cloned().collect::<Vec<_>>(), held)?;
        }
        Ok(())
    }

    /// Checks what does not change: who made them and what they can do.
    fn is_like(&self, demand: &Demand) -> Result<(), Lack> {
        let other = match (&self.vendor, &demand.vendor) {
            (Some(own), Some(asked)) => own != asked,
            _ => false,
        };
        let can = |words: &Vec<String>, own: &[String]| words.iter().all(|w| own.contains(w));
        let weak = self.abilities.as_deref().is_some_and(|own| {
            let mut alternatives = demand.abilities.iter();
            !demand.abilities.is_empty() && !alternatives.any(|words| can(words, own))
        });
        match other || weak {
            true => Err(Lack::Unlike(self.to_string())),
            false => Ok(()),
        }
    }

    /// Checks that each of these is there and held by fewer than may.
    fn all_free(&self, ids: &[String], held: &Held) -> Result<(), Lack> {
        for id in ids.iter().filter(|id| !self.is_name(id)) {
            let number = self.number(id);
            let number = number.ok_or_else(|| Lack::Unknown(id.clone()))?;
            let holders = held.these.iter();
            let holders = holders.filter(|(other, _)| self.number(other) == Some(number));
            let holders = holders.map(|(_, count)| count).sum::<u64>() + held.all;
            if self.shares != UNLIMITED && holders >= u64::from(self.shares) {
                return Err(Lack::Taken(id.clone(), holders));
            }
        }
        Ok(())
    }

    fn is_name(&self, id: &str) -> bool {
        self.names.iter().any(|name| name == id)
    }

    /// Returns a device's number by its ID or by that number.
    fn number(&self, id: &str) -> Option<u32> {
        let named = self.ids.iter().position(|own| own == id);
        let named = named.and_then(|at| u32::try_from(at).ok());
        let numbered = || id.parse().ok().filter(|n| Some(*n) < self.count);
        named.or_else(numbered)
    }
}

impl fmt::Display for Stock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.vendor.as_deref().unwrap_or("unknown make"))?;
        match &self.abilities {
            Some(abilities) => write!(f, ", can {}", abilities.join(", ")),
            None => Ok(()),
        }
    }
}

/// Reads `GenericResources` of an engine's `/info` (`--node-generic-resource`).
fn generic(info: &Value) -> BTreeMap<String, Stock> {
    let mut all: BTreeMap<String, Stock> = BTreeMap::new();
    for told in info["GenericResources"].as_array().into_iter().flatten() {
        let (named, discrete) = (&told["NamedResourceSpec"], &told["DiscreteResourceSpec"]);
        let kind = named["Kind"].as_str().or_else(|| discrete["Kind"].as_str());
        let Some((kind, vendor)) = kind.map(kind_and_vendor) else {
            continue;
        };
        let stock = all.entry(kind).or_insert_with(|| Stock::of_vendor(vendor));
        let more = match named["Value"].as_str() {
            Some(id) => {
                stock.ids.push(id.to_owned());
                Some(1)
            }
            None => discrete["Value"].as_u64(),
        };
        let more = more.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        stock.count = Some(stock.count.unwrap_or(0).saturating_add(more));
    }
    all
}

/// Reads `DiscoveredDevices` of an engine's `/info` (Engine API 1.50). One device may be told by its number and by its
/// ID; those that have numbers are counted by these.
fn discovered(info: &Value) -> BTreeMap<String, Stock> {
    let mut all: BTreeMap<String, Stock> = BTreeMap::new();
    for told in info["DiscoveredDevices"].as_array().into_iter().flatten() {
        let name = told["ID"].as_str().and_then(|id| id.split_once('='));
        let Some((of, id)) = name.filter(|(_, id)| *id != "all") else {
            continue;
        };
        let (vendor, class) = of.split_once('/').unwrap_or(("", of));
        let vendor = vendor.split('.').next().filter(|v| !v.is_empty());
        let stock = all.entry(class.to_ascii_lowercase());
        let stock = stock.or_insert_with(|| Stock {
            shares: UNLIMITED,
            ..Stock::of_vendor(vendor.map(str::to_ascii_lowercase))
        });
        stock.ids.push(id.to_owned());
    }
    for stock in all.values_mut() {
        let is_number = |id: &String| id.bytes().all(|b| b.is_ascii_digit());
        if stock.ids.iter().any(is_number) {
            let names = std::mem::take(&mut stock.ids).into_iter();
            (stock.ids, stock.names) = names.partition(is_number);
        }
        stock.count = u32::try_from(stock.ids.len()).ok();
    }
    all
}

/// Splits a list at its commas.
fn words(text: &str) -> Vec<String> {
    let words = text.split(',').map(str::trim);
    words.filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
#[path = "stock_tests.rs"]
mod tests;

//! Amounts written for people, as classic Swarm writes them.

use super::Resources;

/// Writes bytes in binary units with four significant digits: `1.5 GiB`.
pub fn bytes(amount: i64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = amount.max(0) as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = match value {
        v if v < 10.0 => 3,
        v if v < 100.0 => 2,
        v if v < 1000.0 => 1,
        _ => 0,
    };
    format!("{} {}", trimmed(value, decimals), UNITS[unit])
}

/// Writes promised and available processors: `1 / 4`, and `1.5 / 4.2` when a fraction is promised.
pub fn cpus(used: i64, total: i64) -> String {
    let (used, total) = (used.max(0), total.max(0));
    if used % Resources::NANO_PER_CPU == 0 {
        // Classic's whole numbers, which scripts read.
        return format!(
            "{} / {}",
            used / Resources::NANO_PER_CPU,
            total / Resources::NANO_PER_CPU
        );
    }
    let amount = |nano: i64| trimmed(nano as f64 / Resources::NANO_PER_CPU as f64, 2);
    format!("{} / {}", amount(used), amount(total))
}

/// Writes a number without useless zeros.
fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_four_digits() {
        for (amount, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536 * 1024 * 1024, "1.5 GiB"),
            (1_096_272_445, "1.021 GiB"),
            (25_276_063_744, "23.54 GiB"),
            (1023 * 1024 * 1024 * 1024, "1023 GiB"),
            (512 * 1024 * 1024, "512 MiB"),
            (-1, "0 B"),
        ] {
            assert_eq!(bytes(amount), text, "{amount}");
        }
    }

    #[test]
    fn processors_are_whole_unless_promised_in_parts() {
        assert_eq!(cpus(0, 2_100_000_000), "0 / 2");
        assert_eq!(cpus(3_000_000_000, 4_200_000_000), "3 / 4");
        assert_eq!(cpus(1_500_000_000, 4_200_000_000), "1.5 / 4.2");
        assert_eq!(cpus(250_000_000, 4_000_000_000), "0.25 / 4");
    }
}

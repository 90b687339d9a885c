//! The flags of commands that can work on a cluster.

use clap::Args;

/// Where a lesson runs, and what it may do there.
#[derive(Debug, Args, Clone)]
pub struct Where {
    /// Where the lesson runs: sandbox, kind (the cluster of `kind up`) or context:NAME
    #[arg(long, default_value = "sandbox", value_name = "ENV")]
    pub env: String,
    #[command(flatten)]
    pub rules: Rules,
}

impl Default for Where {
    /// What no flag at all means.
    fn default() -> Where {
        Where { env: "sandbox".into(), rules: Rules::default() }
    }
}

/// What a lesson may do on a cluster.
#[derive(Debug, Args, Clone, Default)]
pub struct Rules {
    /// On a cluster: let the lesson install Istio and change what concerns everybody
    #[arg(long)]
    pub allow_mesh_config: bool,
    /// On a cluster: ask nothing before the first write
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// On a cluster: how long a check waits for what it expects (20s, 500ms)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub within: Option<u64>,
}

/// Cleaning up on a cluster.
#[derive(Debug, Args)]
pub struct Cleanup {
    /// The cluster: kind or context:NAME
    #[arg(long, value_name = "ENV")]
    pub env: String,
    /// Only list what would be removed and put back
    #[arg(long)]
    pub dry_run: bool,
    /// Remove what the lab made without asking
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Remove what appeared meanwhile where the lesson works, too, whoever made it
    #[arg(long)]
    pub others: bool,
}

/// Milliseconds of `20s`, `500ms`, `2m` or a bare number of seconds.
pub(super) fn duration(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        _ => return Err(format!("{text:?} is no duration: 20s, 500ms, 2m")),
    };
    let number: u64 = number.parse().map_err(|_| format!("{text:?} is no duration: 20s, 500ms, 2m"))?;
    number
        .checked_mul(scale)
        .filter(|ms| (1..=3_600_000).contains(ms))
        .ok_or_else(|| format!("{text} is not between 1ms and 60m"))
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("20s"), Ok(20_000));
        assert_eq!(duration("2"), Ok(2_000));
        assert_eq!(duration("500ms"), Ok(500));
        assert_eq!(duration("2m"), Ok(120_000));
        for wrong in ["", "s", "0", "0s", "1h", "61m", "-1s", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong:?}");
        }
    }
}

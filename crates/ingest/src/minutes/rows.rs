//! Rows of the table `minutes`: sums to columns, and columns to sums.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, Int32Array, Int64Array,
    ListArray, RecordBatch, StringViewArray, StringViewBuilder, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Field, Fields, Int32Type, Int64Type, Schema, SchemaRef, TimestampMicrosecondType,
};
use floodmark_traffic::histogram::Histogram;
use floodmark_traffic::hyper_log_log::HyperLogLog;

use super::sums::{COUNTS, Probe, Sums, Times};
use super::{Counted, Key, MINUTE_US, NO_MINUTE};
use crate::Error;
use crate::columns::ColumnType;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let (text, number) = (DataType::Utf8View, DataType::Int64);
    let keys = [
        ("minute", ColumnType::Time.arrow()),
        ("log_set", text.clone()),
        ("server_name", text.clone()),
        ("server_port", DataType::Int32),
        ("layer", text.clone()),
        ("bot", text),
        ("total", number.clone()),
    ];
    let counts = COUNTS.map(|name| (name, number.clone()));
    let others = [
        ("request_time_sum_us", number.clone()),
        ("request_time_max_us", number),
        ("request_time_histogram", DataType::BinaryView),
        ("clients", DataType::BinaryView),
        ("bad_clients", DataType::BinaryView),
        ("probes", DataType::List(probe())),
    ];
    let columns = keys.into_iter().chain(counts).chain(others);
    let fields = columns.map(|(name, data_type)| Field::new(name, data_type, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
});

pub(super) fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// An item of `probes`.
fn probe() -> Arc<Field> {
    Arc::new(Field::new(
        "element",
        DataType::Struct(probe_fields()),
        true,
    ))
}

fn probe_fields() -> Fields {
    Fields::from(vec![
        Field::new("client", DataType::Utf8View, true),
        Field::new("http_user_agent", DataType::Utf8View, true),
        Field::new("count", DataType::Int64, true),
        Field::new("first", ColumnType::Time.arrow(), true),
        Field::new("last", ColumnType::Time.arrow(), true),
    ])
}

/// The rows, in the order given.
pub(super) fn written(ordered: &[&Counted], keys: &[Key]) -> Result<RecordBatch, Error> {
    let key = |counted: &&Counted| &keys[counted.key as usize];
    let text = |of: fn(&Key) -> Option<&str>| texts(ordered.iter().map(|row| of(key(row))));
    let number = |of: &dyn Fn(&Sums) -> Option<u64>| -> ArrayRef {
        let numbers = ordered.iter().map(|row| of(&row.sums).map(signed));
        Arc::new(numbers.collect::<Int64Array>())
    };
    let sketch = |of: &dyn Fn(&Sums) -> Option<Vec<u8>>| -> ArrayRef {
        let mut sketches = BinaryViewBuilder::with_capacity(ordered.len());
        for row in ordered {
            sketches.append_option(of(&row.sums));
        }
        Arc::new(sketches.finish())
    };
    let minutes = ordered.iter().map(|row| match row.minute {
        NO_MINUTE => None,
        minute => Some(minute * MINUTE_US),
    });
    let ports = ordered.iter().map(|row| key(row).server_port);
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(times(minutes)),
        text(|key| key.log_set.as_deref()),
        text(|key| key.server_name.as_deref()),
        Arc::new(ports.collect::<Int32Array>()),
        text(|key| key.layer.as_deref()),
        text(|key| key.bot.as_deref()),
        number(&|sums| Some(sums.requests())),
    ];
    columns.extend((0..COUNTS.len()).map(|at| number(&|sums| Some(sums.counts[at]))));
    let times_of = |sums: &Sums, of: fn(&Times) -> u64| sums.times.as_deref().map(of);
    let clients = |clients: &HyperLogLog| (!clients.is_empty()).then(|| clients.encode());
    columns.extend([
        number(&|sums| times_of(sums, |times| times.sum)),
        number(&|sums| times_of(sums, |times| times.max)),
        sketch(&|sums| Some(sums.times.as_deref()?.histogram.encode())),
        sketch(&|sums| clients(&sums.clients)),
        sketch(&|sums| clients(&sums.bad_clients)),
        probes(ordered),
    ]);
    Ok(RecordBatch::try_new(schema(), columns)?)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn texts<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> ArrayRef {
    let mut builder = StringViewBuilder::new().with_deduplicate_strings();
    texts.for_each(|text| builder.append_option(text));
    Arc::new(builder.finish())
}

fn times(times: impl Iterator<Item = Option<i64>>) -> TimestampMicrosecondArray {
    times
        .collect::<TimestampMicrosecondArray>()
        .with_timezone("UTC")
}

fn probes(ordered: &[&Counted]) -> ArrayRef {
    let lengths = ordered.iter().map(|row| row.sums.probes.len());
    let nulls: NullBuffer = lengths.clone().map(|length| length > 0).collect();
    let all = || ordered.iter().flat_map(|row| &row.sums.probes);
    let text = |of: fn(&Probe) -> Option<&Vec<u8>>| {
        let owned: Vec<Option<String>> = all()
            .map(|probe| of(probe).map(|text| String::from_utf8_lossy(text).into_owned()))
            .collect();
        texts(owned.iter().map(Option::as_deref))
    };
    let second = |of: fn(&Probe) -> i64| -> ArrayRef {
        Arc::new(times(all().map(|probe| Some(of(probe) * 1_000_000))))
    };
    let counts = all().map(|probe| signed(probe.count));
    let columns: Vec<ArrayRef> = vec![
        text(|probe| probe.client.as_ref()),
        text(|probe| probe.agent.as_ref()),
        Arc::new(Int64Array::from_iter_values(counts)),
        second(|probe| probe.first),
        second(|probe| probe.last),
    ];
    Arc::new(ListArray::new(
        probe(),
        OffsetBuffer::from_lengths(lengths),
        Arc::new(StructArray::new(probe_fields(), columns, None)),
        Some(nulls),
    ))
}

/// A batch of the table, being read.
pub(super) struct Rows<'batch> {
    minutes: &'batch TimestampMicrosecondArray,
    log_set: &'batch StringViewArray,
    server_name: &'batch StringViewArray,
    server_port: &'batch Int32Array,
    layer: &'batch StringViewArray,
    bot: &'batch StringViewArray,
    counts: Vec<&'batch Int64Array>,
    time_sum: &'batch Int64Array,
    time_max: &'batch Int64Array,
    histogram: &'batch BinaryViewArray,
    clients: &'batch BinaryViewArray,
    bad_clients: &'batch BinaryViewArray,
    probes: &'batch ListArray,
}

impl<'batch> Rows<'batch> {
    pub(super) fn new(batch: &'batch RecordBatch) -> Result<Self, Error> {
        let column = |name: &'static str| {
            let column = batch.column_by_name(name);
            let expected = SCHEMA.field_with_name(name).map(Field::data_type);
            column
                .filter(|column| expected.is_ok_and(|expected| column.data_type() == expected))
                .ok_or(Error::NotMinutes { column: name })
        };
        let text = |name| column(name).map(AsArray::as_string_view);
        let number = |name| column(name).map(AsArray::as_primitive::<Int64Type>);
        let sketch = |name| column(name).map(AsArray::as_binary_view);
        Ok(Self {
            minutes: column("minute")?.as_primitive::<TimestampMicrosecondType>(),
            log_set: text("log_set")?,
            server_name: text("server_name")?,
            server_port: column("server_port")?.as_primitive::<Int32Type>(),
            layer: text("layer")?,
            bot: text("bot")?,
            counts: COUNTS.into_iter().map(number).collect::<Result<_, _>>()?,
            time_sum: number("request_time_sum_us")?,
            time_max: number("request_time_max_us")?,
            histogram: sketch("request_time_histogram")?,
            clients: sketch("clients")?,
            bad_clients: sketch("bad_clients")?,
            probes: column("probes")?.as_list(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.minutes.len()
    }

    pub(super) fn minute(&self, row: usize) -> i64 {
        match self.minutes.is_valid(row) {
            true => self.minutes.value(row).div_euclid(MINUTE_US),
            false => NO_MINUTE,
        }
    }

    pub(super) fn key(&self, row: usize) -> Key {
        let text =
            |texts: &StringViewArray| texts.is_valid(row).then(|| texts.value(row).to_owned());
        Key {
            log_set: text(self.log_set),
            server_name: text(self.server_name),
            server_port: self
                .server_port
                .is_valid(row)
                .then(|| self.server_port.value(row)),
            layer: text(self.layer),
            bot: text(self.bot),
        }
    }

    pub(super) fn sums(&self, row: usize) -> Result<Sums, Error> {
        let mut sums = Sums::default();
        for (sum, counts) in sums.counts.iter_mut().zip(&self.counts) {
            *sum = number(counts, row);
        }
        if let Some(histogram) = sketch(self.histogram, row) {
            sums.times = Some(Box::new(Times {
                sum: number(self.time_sum, row),
                max: number(self.time_max, row),
                histogram: Histogram::decode(histogram)?,
            }));
        }
        if let Some(clients) = sketch(self.clients, row) {
            sums.clients = HyperLogLog::decode(clients)?;
        }
        if let Some(clients) = sketch(self.bad_clients, row) {
            sums.bad_clients = HyperLogLog::decode(clients)?;
        }
        if self.probes.is_valid(row) {
            sums.probes = probes_of(self.probes.value(row).as_struct())?;
        }
        Ok(sums)
    }
}

fn number(numbers: &Int64Array, row: usize) -> u64 {
    match numbers.is_valid(row) {
        true => numbers.value(row).max(0).unsigned_abs(),
        false => 0,
    }
}

fn sketch(sketches: &BinaryViewArray, row: usize) -> Option<&[u8]> {
    sketches.is_valid(row).then(|| sketches.value(row))
}

fn probes_of(probes: &StructArray) -> Result<Vec<Probe>, Error> {
    let [client, agent, count, first, last] = probes.columns() else {
        return Err(Error::NotMinutes { column: "probes" });
    };
    let text = |texts: &ArrayRef, row: usize| {
        let texts = texts.as_string_view();
        let text = texts.is_valid(row).then(|| texts.value(row));
        text.map(|text| text.as_bytes().to_vec())
    };
    let second = |times: &ArrayRef, row: usize| {
        let times = times.as_primitive::<TimestampMicrosecondType>();
        times.value(row).div_euclid(1_000_000)
    };
    let mut read: Vec<Probe> = (0..probes.len())
        .map(|row| Probe {
            client: text(client, row),
            agent: text(agent, row),
            count: number(count.as_primitive::<Int64Type>(), row),
            first: second(first, row),
            last: second(last, row),
        })
        .collect();
    // As they are looked up; another program may have written them.
    read.sort_unstable_by(|a, b| (&a.client, &a.agent).cmp(&(&b.client, &b.agent)));
    Ok(read)
}

//! A load as SVG: above, how many sagas were over after how long; below, what each participant was asked in each second.

use std::collections::BTreeMap;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::prelude::SeriesLabelPosition;
use plotters::prelude::{
    BLACK, Cartesian2d, ChartBuilder, ChartContext, Color as _, DrawingArea, IntoDrawingArea as _, IntoLogRange as _,
    LineSeries, Palette as _, Palette99, PathElement, SVGBackend, WHITE,
};

use super::end;
use super::load::{millis, rounded};
use crate::simulation::Figures;

/// In pixels.
const SIZE: (u32, u32) = (900, 720);
const MARGIN: u32 = 12;
/// Room for the numbers beside an axis.
const AXIS: u32 = 48;

type Panel<'d> = DrawingArea<SVGBackend<'d>, Shift>;
type Lines = Vec<(String, Vec<(f64, f64)>)>;

/// The picture.
pub(super) fn svg(saga: &str, figures: &Figures) -> String {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw(&root, saga, figures).expect("writing to a string does not fail");
    }
    text
}

fn draw(root: &Panel<'_>, saga: &str, figures: &Figures) -> Result<(), Box<dyn std::error::Error>> {
    root.fill(&WHITE)?;
    let (above, below) = root.split_vertically(SIZE.1 / 2);
    let ended = over(figures);
    // Whole decades, so that there is a number at each end of the axis.
    let took = || ended.iter().flat_map(|(_, points)| points).map(|(took, _)| took.log10());
    let (from, to) = (took().fold(3.0, f64::min).floor(), took().fold(0.0, f64::max).ceil());
    let decades = 10_f64.powf(from)..10_f64.powf(to.max(from + 1.0));
    let title = format!("{saga}: percent of sagas that are over after how long");
    let mut chart = framed(&above, &title).build_cartesian_2d(decades.log_scale(), 0.0..100.0)?;
    lines(&mut chart, ended, &|took| millis(rounded(*took)))?;
    let asked = figures.participants.iter().map(|(name, asked)| (name.to_string(), every_second(&asked.seconds)));
    let asked: Lines = asked.collect();
    let end = asked.iter().flat_map(|(_, points)| points).map(|(second, _)| *second).fold(1.0, f64::max);
    let highest = asked.iter().flat_map(|(_, points)| points).map(|(_, count)| *count).fold(1.0, f64::max);
    let mut chart = framed(&below, "commands in each second").build_cartesian_2d(0.0..end, 0.0..highest)?;
    lines(&mut chart, asked, &|second| millis(1_000 * rounded(*second)))?;
    root.present()?;
    Ok(())
}

fn framed<'a, 'b>(panel: &'a Panel<'b>, title: &str) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut chart = ChartBuilder::on(panel);
    chart.margin(MARGIN).caption(title, ("sans-serif", 16)).x_label_area_size(AXIS / 2).y_label_area_size(AXIS);
    chart
}

fn lines<'a, X, Y>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
    all: Lines,
    across: &dyn Fn(&f64) -> String,
) -> Result<(), Box<dyn std::error::Error>>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let whole = |number: &f64| rounded(*number).to_string();
    chart.configure_mesh().light_line_style(WHITE).x_label_formatter(&across).y_label_formatter(&whole).draw()?;
    for (number, (name, points)) in all.into_iter().enumerate() {
        let colour = Palette99::pick(number).to_rgba();
        let legend = move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2));
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?.label(name).legend(legend);
    }
    let mut labels = chart.configure_series_labels();
    labels
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .draw()?;
    Ok(())
}

/// How many percent of those that ended so are over after how long.
fn over(figures: &Figures) -> Lines {
    let one = |(how, took): (&Option<compact_str::CompactString>, &Vec<u64>)| {
        let all = took.len();
        // More points than pixels show nothing more.
        let step = all.div_ceil(SIZE.0 as usize).max(1);
        let at = |rank: usize| {
            took.get(rank).map(|took| (float(*took).max(1.0), float(rank as u64 + 1) / float(all as u64) * 100.0))
        };
        (end(how.as_deref()), (0..all).step_by(step).chain(all.checked_sub(1)).filter_map(at).collect())
    };
    figures.ended.iter().map(one).collect()
}

/// Seconds without a command are points too.
fn every_second(seconds: &BTreeMap<u64, usize>) -> Vec<(f64, f64)> {
    let last = seconds.last_key_value().map_or(0, |(second, _)| *second);
    let step = usize::try_from(last / u64::from(SIZE.0) + 1).unwrap_or(1);
    let mut all = Vec::new();
    for second in (0..=last).step_by(step) {
        let end = second + step as u64;
        let count = seconds.range(second..end).map(|(_, count)| *count).max();
        all.push((float(second), float(count.unwrap_or_default() as u64)));
    }
    all
}

#[expect(clippy::cast_precision_loss, reason = "what a picture shows")]
const fn float(number: u64) -> f64 {
    number as f64
}

"""One finding as an HTML file that needs nothing else."""

from markupsafe import Markup

from stream_jobs.anomalies import words
from stream_jobs.anomalies.cause import FACTORS
from stream_jobs.anomalies.terminal import Shown, facts_of
from stream_jobs.report import page
from stream_jobs.report.anomaly_plots import place, plot


def anomaly_html(shown: Shown) -> str:
    """The page. Every text from outside is escaped."""
    return page.render(
        "anomaly.html.j2",
        shown=shown,
        found=shown.found,
        cause=shown.cause,
        words=words,
        factors=FACTORS,
        facts=[(name, text) for name, text in facts_of(shown) if text],
        place=place(shown),
        plot=Markup(plot(shown, "finding")),  # noqa: S704 - matplotlib's, without foreign text
    )

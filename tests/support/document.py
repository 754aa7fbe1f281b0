"""The operations of the API's document, and what some of them must be asked with."""

from pydantic import SecretStr

from services.api.main import create_app
from shared.settings import Settings

ASKED = {
    "/v1/stats/summary/dossiers": "period=2018&figure=received.total",
    "/v1/stats/by/{by}/dossiers": "period=2018&row=H51.12&figure=received.total",
    "/v1/stats/working-time/dossiers": "period=2018&unconfirmed=2018",
    "/v1/stats/anomalies/dossiers": "anomaly=all",
    "/v1/indices/766/dossiers": "period=2018&indicator=2.1&part=denominator",
    "/v1/overdue/dossiers": "bucket=late_over_10",
    "/v1/overdue/reasons/dossiers": "period=2018&figure=dossiers",
    "/v1/reports/II.05": "period=2018",
    "/v1/reports/II.06": "period=2018",
    "/v1/stats/feedback/records": "period=2018&figure=f1",
    "/v1/stats/payments/records": "period=2018&figure=total.p1",
    "/v1/stats/digitisation/records": "period=2018&figure=dossiers",
    "/v1/stats/catalogue/records": "period=2018&figure=in_force",
    "/v1/stats/steps/records": "period=2018&figure=finished",
    "/v1/stats/post/records": "period=2018&figure=requested",
    "/v1/stats/surveys/records": "period=2018&figure=sheets",
    "/v1/stats/reviews/records": "period=2018&figure=reviewed",
}
"""What an operation must be asked with."""

WHOLE_READ = {
    "GET /v1/audits": "/v1/audits",
    "GET /v1/audits/{audit_id}": "/v1/audits/x1",
    "GET /v1/alarms": "/v1/alarms",
    "GET /v1/alarms/{alarm_id}": "/v1/alarms/x1p0",
    "GET /v1/projection/failures": "/v1/projection/failures",
    "GET /v1/payments/statements": "/v1/payments/statements",
    "GET /v1/payments/statements/{gateway}/{date}": "/v1/payments/statements/national/2018-01-02",
    "GET /v1/payments/statements/{gateway}/{date}.csv": "/v1/payments/statements/national/2018-01-02.csv",
    "GET /v1/reviews": "/v1/reviews",
    "GET /v1/reviews/{code}": "/v1/reviews/1.000001",
}
"""What shows or begins things of the whole province, to read."""


def operations() -> set[str]:
    nowhere = SecretStr("postgresql://nobody@127.0.0.1/none")
    paths = create_app(Settings(database_url=nowhere, redis_url=SecretStr("redis://127.0.0.1"))).openapi()["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}

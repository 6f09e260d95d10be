"""Tracking services: what tells nothing or must not be read, then each service's words and times."""

from datetime import UTC, datetime

import pytest

from oms.channels.tracking import FORMS
from oms.fulfillment.model import ShipmentState
from oms.orders.commands import Fetch, Ignore
from oms.orders.records import FulfillmentOutcome, FulfillmentRecorded, Parcel, TrackingRecorded, UnitsOfLine
from tests.unit.channels.deliveries import Fields, fault, only, parse
from tests.unit.channels.signing import NOW

SCAN = "2026-11-20T08:15:00Z"
SCAN_UTC = datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
UPDATE = "2026-11-21T10:00:00Z"
UPDATE_UTC = datetime(2026, 11, 21, 10, tzinfo=UTC)


def easypost(status: str = "in_transit", detail: str = "unknown", *scans: Fields, **fields: object) -> Fields:
    tracker: Fields = {
        "id": "trk_1",
        "object": "Tracker",
        "mode": "production",
        "tracking_code": "9400100000000000000001",
        "status": status,
        "status_detail": detail,
        "updated_at": UPDATE,
        "carrier": "USPS",
        "est_delivery_date": None,
        "tracking_details": list(scans),
    }
    return {"object": "Event", "description": "tracker.updated", "result": tracker | fields}


def scan(status: str = "in_transit", at: str = SCAN, message: str = "Arrived") -> Fields:
    return {"status": status, "status_detail": "unknown", "datetime": at, "message": message}


def aftership(tag: str = "InTransit", subtag: str = "InTransit_001", /, **fields: object) -> Fields:
    tracking: Fields = {
        "id": "abc",
        "tracking_number": "9400100000000000000001",
        "slug": "usps",
        "tag": tag,
        "subtag": subtag,
        "subtag_message": "On its way",
        "last_updated_at": UPDATE,
        "checkpoints": [],
    }
    return {"event": "tracking_update", "event_id": "e-1", "msg": tracking | fields, "ts": 1795255200}


def shippo(status: str = "TRANSIT", sub: str | None = None, at: str = SCAN, **fields: object) -> Fields:
    state = {
        "status": status,
        "substatus": {"code": sub} if sub else None,
        "status_date": at,
        "status_details": "On its way",
    }
    data: Fields = {"carrier": "usps", "tracking_number": "9400100000000000000001", "tracking_status": state}
    return {"event": "track_updated", "test": False, "data": data | {"tracking_history": [state]} | fields}


def shipengine(code: str = "IT", detail: str | None = None, **fields: object) -> Fields:
    data: Fields = {
        "tracking_number": "9400100000000000000001",
        "status_code": code,
        "status_detail_code": detail,
        "status_description": "On its way",
        "carrier_code": "usps",
        "events": [
            {"occurred_at": SCAN, "carrier_occurred_at": "2026-11-20T03:15:00", "description": "Scan"}
        ],
    }
    return {"resource_url": TRACKED, "resource_type": "API_TRACK", "data": data | fields}


TRACKED = "https://api.shipengine.com/v1/tracking?carrier_code=usps&tracking_number=9400100000000000000001"


def sendcloud(status: int = 3, **fields: object) -> Fields:
    parcel: Fields = {
        "id": 1,
        "tracking_number": "3SYZXG000000001",
        "status": {"id": status, "message": "On its way"},
        "carrier": {"code": "postnl"},
        "order_number": "1001",
        "external_order_id": "55",
    }
    return {"action": "parcel_status_changed", "timestamp": 1795255200500, "parcel": parcel | fields}


def tracked(kind: str, payload: Fields) -> TrackingRecorded:
    return only(kind, payload, TrackingRecorded)


# ---- what tells nothing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("easypost", {}),
        ("easypost", []),
        ("easypost", {"object": "Event", "description": "batch.created", "result": {"object": "Batch"}}),
        ("easypost", {"object": "Shipment", "tracking_code": "9400", "status": "unknown"}),
        ("easypost", easypost("unknown")),
        ("easypost", easypost("never heard of")),
        ("aftership", {"event": "edd_revise", "msg": {}}),
        ("aftership", aftership("Teleported")),
        ("shippo", {"event": "transaction_created", "data": {"tracking_status": "UNKNOWN"}}),
        ("shippo", {"event": "track_updated", "data": {"tracking_number": "9400", "tracking_status": None}}),
        ("shippo", shippo("UNKNOWN")),
        ("shipengine", shipengine("UN")),
        ("shipengine", {"resource_type": "API_CARRIER_CONNECTED", "data": {}}),
        ("shipengine", {"resource_type": "API_RATE", "resource_url": "https://example.com/never/read"}),
        (
            "shipengine",
            {"resource_type": "API_BATCH", "resource_url": "https://api.shipengine.com/v1/batches/1"},
        ),
        ("sendcloud", {"action": "integration_connected", "timestamp": 1795255200500}),
        ("sendcloud", sendcloud(1337)),
    ],
)
def test_what_says_nothing_of_a_parcel_is_ignored(kind: str, payload: object) -> None:
    assert only(kind, payload, Ignore).reason


@pytest.mark.parametrize(
    ("kind", "payload", "field"),
    [
        (
            "easypost",
            easypost("in_transit", "unknown", scan(at="yesterday")),
            "result.tracking_details[0].datetime",
        ),
        ("aftership", aftership(checkpoints=7), "msg.checkpoints"),
        ("shippo", shippo(at="soon"), "data.tracking_history[0].status_date"),
        ("sendcloud", {**sendcloud(), "timestamp": "now"}, "timestamp"),
    ],
)
def test_a_parcel_that_cannot_be_read_names_the_field(kind: str, payload: object, field: str) -> None:
    assert fault(kind, payload) == field


@pytest.mark.parametrize("expected", ["soon", "2026/11/25", 17])
def test_an_expectation_that_is_no_time_does_not_hide_the_parcel(expected: object) -> None:
    tracked = only("shipengine", shipengine(estimated_delivery_date=expected), TrackingRecorded)
    assert (tracked.tracking_number, tracked.expected_at) == ("9400100000000000000001", None)


# ---- notifications that only name an address ---------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "http://ssapi6.shipstation.com/shipments?batchId=1",
        "https://ssapi6.shipstation.com.example.com/shipments",
        "https://ssapi6.shipstation.com@example.com/shipments",
        "https://example.com/?u=https://ssapi6.shipstation.com/",
        "https://ssapi.shipstation.com:8443/shipments",
        "https://ssapi-6.shipstation.com/shipments",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "//ssapi6.shipstation.com/shipments",
        " https://ssapi6.shipstation.com/shipments",
        "HTTPS://SSAPI6.SHIPSTATION.COM/shipments",
    ],
)
@pytest.mark.parametrize("kind", ["shipstation", "shipengine"])
def test_an_address_of_another_host_is_refused_before_credentials_go_there(kind: str, address: str) -> None:
    payload = {"resource_url": address, "resource_type": "SHIP_NOTIFY"}
    assert fault(kind, payload) == "resource_url"


def test_shipengine_does_not_read_from_shipstations_first_api() -> None:
    payload = {"resource_url": "https://ssapi6.shipstation.com/shipments", "resource_type": "SHIP_NOTIFY"}
    assert fault("shipengine", payload) == "resource_url"


@pytest.mark.parametrize(
    ("kind", "host", "resource_type", "resource"),
    [
        ("shipstation", "ssapi6.shipstation.com", "SHIP_NOTIFY", "shipments"),
        ("shipstation", "ssapi.shipstation.com", "ITEM_SHIP_NOTIFY", "shipments"),
        ("shipstation", "ssapi12.shipstation.com", "ORDER_NOTIFY", "orders"),
        ("shipstation", "ssapi6.shipstation.com", "FULFILLMENT_REJECTED", "fulfillments"),
        ("shipstation", "api.shipstation.com", "API_TRACK", "tracking"),
        ("shipengine", "api.shipengine.com", "API_TRACK", "tracking"),
    ],
)
def test_an_address_of_the_vendors_is_to_be_read(
    kind: str, host: str, resource_type: str, resource: str
) -> None:
    address = f"https://{host}/x?batchId=1&includeShipmentItems=False"
    fetch = only(kind, {"resource_url": address, "resource_type": resource_type}, Fetch)
    assert (fetch.resource, fetch.resource_id, fetch.adapter) == (resource, address, kind)


# ---- states ------------------------------------------------------------------------------------------------

LABELLED, TRANSIT, OUT = ShipmentState.LABELLED, ShipmentState.IN_TRANSIT, ShipmentState.OUT_FOR_DELIVERY
DELIVERED, POINT, FAILED = (
    ShipmentState.DELIVERED,
    ShipmentState.AT_PICKUP_POINT,
    ShipmentState.ATTEMPT_FAILED,
)
EXCEPTION, RETURNING, RETURNED = (
    ShipmentState.EXCEPTION,
    ShipmentState.RETURNING,
    ShipmentState.RETURNED_TO_SENDER,
)


@pytest.mark.parametrize(
    ("kind", "payload", "state"),
    [
        ("easypost", easypost("pre_transit"), LABELLED),
        ("easypost", easypost("in_transit"), TRANSIT),
        ("easypost", easypost("out_for_delivery"), OUT),
        ("easypost", easypost("available_for_pickup"), POINT),
        ("easypost", easypost("delivered"), DELIVERED),
        ("easypost", easypost("in_transit", "attempted_delivery"), FAILED),
        ("easypost", easypost("failure"), EXCEPTION),
        ("easypost", easypost("failure", "lost"), ShipmentState.LOST),
        ("easypost", easypost("error"), EXCEPTION),
        ("easypost", easypost("return_to_sender"), RETURNING),
        ("easypost", easypost("cancelled"), ShipmentState.VOIDED),
        ("aftership", aftership("Pending", "Pending_001"), LABELLED),
        ("aftership", aftership("InfoReceived", "InfoReceived_001"), LABELLED),
        ("aftership", aftership("InTransit"), TRANSIT),
        ("aftership", aftership("OutForDelivery", "OutForDelivery_001"), OUT),
        ("aftership", aftership("AvailableForPickup", "AvailableForPickup_001"), POINT),
        ("aftership", aftership("Delivered", "Delivered_003"), DELIVERED),
        ("aftership", aftership("AttemptFail", "AttemptFail_001"), FAILED),
        ("aftership", aftership("Exception", "Exception_003"), EXCEPTION),
        ("aftership", aftership("Exception", "Exception_010"), RETURNING),
        ("aftership", aftership("Exception", "Exception_011"), RETURNED),
        ("aftership", aftership("Expired", "Expired_001"), EXCEPTION),
        ("shippo", shippo("PRE_TRANSIT"), LABELLED),
        ("shippo", shippo("TRANSIT"), TRANSIT),
        ("shippo", shippo("TRANSIT", "package_arrived"), TRANSIT),
        ("shippo", shippo("TRANSIT", "out_for_delivery"), OUT),
        ("shippo", shippo("TRANSIT", "pickup_available"), POINT),
        ("shippo", shippo("DELIVERED", "information_received"), DELIVERED),
        ("shippo", shippo("TRANSIT", "delivery_attempted"), FAILED),
        ("shippo", shippo("FAILURE", "delivery_attempted"), FAILED),
        ("shippo", shippo("FAILURE"), EXCEPTION),
        ("shippo", shippo("RETURNED"), RETURNING),
        ("shipengine", shipengine("AC"), LABELLED),
        ("shipengine", shipengine("NY"), LABELLED),
        ("shipengine", shipengine("IT"), TRANSIT),
        ("shipengine", shipengine("IT", "HUB_SCAN_IN"), TRANSIT),
        ("shipengine", shipengine("IT", "OUT_FOR_DELIVERY"), OUT),
        ("shipengine", shipengine("SP"), POINT),
        ("shipengine", shipengine("DE"), DELIVERED),
        ("shipengine", shipengine("AT"), FAILED),
        ("shipengine", shipengine("EX"), EXCEPTION),
        ("shipengine", shipengine("EX", "RETURN_TO_SENDER"), RETURNING),
        ("shipstation", shipengine("DE"), DELIVERED),
        ("sendcloud", sendcloud(1000), LABELLED),
        ("sendcloud", sendcloud(3), TRANSIT),
        ("sendcloud", sendcloud(8), FAILED),
        ("sendcloud", sendcloud(11), DELIVERED),
        ("sendcloud", sendcloud(12), POINT),
        ("sendcloud", sendcloud(62992), RETURNED),
        ("sendcloud", sendcloud(2000), ShipmentState.VOIDED),
    ],
)
def test_each_services_words(kind: str, payload: Fields, state: ShipmentState) -> None:
    record = tracked(kind, payload)
    assert (record.status, record.adapter) == (state, kind)


def test_every_service_has_words_for_a_parcels_whole_way() -> None:
    for kind, form in FORMS.items():
        assert {LABELLED, TRANSIT, OUT, DELIVERED, FAILED, POINT, EXCEPTION} <= set(form.states.values()), (
            kind
        )


# ---- times -------------------------------------------------------------------------------------------------


def test_the_carriers_time_counts_not_the_services() -> None:
    assert tracked("easypost", easypost("in_transit", "unknown", scan())).occurred_at == SCAN_UTC
    assert tracked("shippo", shippo()).occurred_at == SCAN_UTC
    assert tracked("shipengine", shipengine()).occurred_at == SCAN_UTC
    checkpoint = {"tag": "InTransit", "checkpoint_time": "2026-11-20T09:15:00+01:00", "message": "Scan"}
    record = tracked("aftership", aftership(checkpoints=[checkpoint]))
    assert (record.occurred_at, record.message) == (SCAN_UTC, "Scan")


@pytest.mark.parametrize("order", [1, -1])
def test_the_latest_report_counts_however_the_history_is_ordered(order: int) -> None:
    scans = [scan(at="2026-11-19T08:15:00Z", message="Early"), scan(message="Late")][::order]
    record = tracked("easypost", easypost("in_transit", "unknown", *scans))
    assert (record.occurred_at, record.message) == (SCAN_UTC, "Late")


def test_a_state_that_goes_backwards_is_told_as_it_is_with_its_time() -> None:
    scans = [scan("delivered", at="2026-11-19T08:15:00Z"), scan("in_transit")]
    record = tracked("easypost", easypost("in_transit", "unknown", *scans))
    assert (record.status, record.occurred_at) == (TRANSIT, SCAN_UTC)


def test_a_state_that_no_report_gives_is_of_the_services_own_time() -> None:
    checkpoint = {"tag": "InTransit", "checkpoint_time": SCAN}
    record = tracked("aftership", aftership("Expired", "Expired_001", checkpoints=[checkpoint]))
    assert (record.occurred_at, record.message) == (UPDATE_UTC, "On its way")


def test_without_reports_the_services_time_counts() -> None:
    assert tracked("easypost", easypost()).occurred_at == UPDATE_UTC
    assert tracked("aftership", aftership()).occurred_at == UPDATE_UTC
    parcel = sendcloud(date_updated="21-11-2026 11:00:00")
    assert tracked("sendcloud", parcel).occurred_at == datetime.fromtimestamp(1795255200.5, UTC)


def test_afterships_last_checkpoint_is_enough() -> None:
    last: Fields = {
        "data": {
            "tracking_number": "1",
            "slug": "ups",
            "tag": "InTransit",
            "checkpoint": {"checkpoint_time": SCAN},
        }
    }
    assert tracked("aftership", last).occurred_at == SCAN_UTC


def test_without_any_time_it_is_when_it_was_received() -> None:
    assert tracked("shipengine", shipengine(events=[])).occurred_at == NOW


def test_shipengines_shape_of_2019_is_read_too() -> None:
    payload = shipengine("DE", events=[{"event_date": SCAN, "description": "Delivered"}], carrier_code=None)
    payload["resource_url"] = "https://api.shipengine.com/v1/tracking/dhl_express/1"
    record = tracked("shipengine", payload)
    assert (record.occurred_at, record.message, record.carrier) == (SCAN_UTC, "Delivered", "dhl_express")
    assert tracked("shipengine", shipengine(carrier_code=None)).carrier == "usps"


# ---- the rest of a record ----------------------------------------------------------------------------------


def test_a_record_names_the_parcel_the_carrier_and_the_promise() -> None:
    payload = easypost("in_transit", "unknown", scan(), est_delivery_date="2026-11-24T00:00:00Z")
    assert tracked("easypost", payload) == TrackingRecorded(
        channel="sample",
        adapter="easypost",
        channel_order_id=None,
        fulfillment_id=None,
        carrier="USPS",
        tracking_number="9400100000000000000001",
        status=TRANSIT,
        message="Arrived",
        expected_at=datetime(2026, 11, 24, tzinfo=UTC),
        occurred_at=SCAN_UTC,
    )


def test_an_order_that_the_service_was_told_is_named() -> None:
    assert tracked("aftership", aftership(order_id="55")).channel_order_id == "55"
    assert tracked("sendcloud", sendcloud()).channel_order_id == "55"


@pytest.mark.parametrize(
    "fields",
    [
        {"courier_estimated_delivery_date": {"estimated_delivery_date": "2026-11-24"}},
        {"courier_estimated_delivery_date": None, "expected_delivery": "2026-11-24T00:00:00+00:00"},
        {"aftership_estimated_delivery_date": {"estimated_delivery_date": "2026-11-24"}},
    ],
)
def test_aftership_has_expected_deliveries_in_several_places(fields: Fields) -> None:
    assert tracked("aftership", aftership(**fields)).expected_at == datetime(2026, 11, 24, tzinfo=UTC)


def test_answers_hold_parcels_without_an_event_around_them() -> None:
    trackers = [easypost()["result"], easypost("delivered")["result"]]
    records = parse("easypost", {"trackers": trackers, "has_more": False})
    assert [record.status for record in records if isinstance(record, TrackingRecorded)] == [
        TRANSIT,
        DELIVERED,
    ]
    assert (
        tracked("aftership", {"meta": {"code": 200}, "data": {"tracking": aftership()["msg"]}}).status
        is TRANSIT
    )
    assert tracked("aftership", {"data": aftership()["msg"]}).status is TRANSIT
    data = shippo()["data"]
    assert isinstance(data, dict)
    assert tracked("shippo", data).status is TRANSIT


# ---- ShipStation's shipments -------------------------------------------------------------------------------


def shipment(**fields: object) -> Fields:
    return {
        "shipmentId": 33974374,
        "orderId": 43945660,
        "orderKey": "8061c220f0794a9b92460b8bae6837e4",
        "orderNumber": "1001",
        "createDate": "2026-11-20T06:51:33.6270000",
        "shipDate": "2026-11-20",
        "trackingNumber": "9400100000000000000001",
        "carrierCode": "stamps_com",
        "voided": False,
        "voidDate": None,
        "shipmentItems": [{"orderItemId": 1, "lineItemKey": "line-1", "sku": "SKU-1", "quantity": 2}],
    } | fields


def test_a_shipment_that_was_read_is_recorded_with_its_lines_and_parcel() -> None:
    record = only("shipstation", {"shipments": [shipment()], "total": 1}, FulfillmentRecorded)
    assert record == FulfillmentRecorded(
        channel="sample",
        adapter="shipstation",
        channel_order_id="8061c220f0794a9b92460b8bae6837e4",
        fulfillment_id="33974374",
        # Its times are Pacific: eight hours behind in November.
        channel_version="2026-11-20T14:51:33.627Z",
        status=FulfillmentOutcome.SHIPPED,
        location=None,
        lines=(UnitsOfLine("line-1", 2),),
        parcels=(Parcel("stamps_com", "9400100000000000000001", None),),
        occurred_at=datetime(2026, 11, 20, 8, tzinfo=UTC),
    )


def test_a_voided_shipment_is_cancelled_later_than_it_was_made() -> None:
    voided = shipment(voided=True, voidDate="2026-11-20T07:00:00.0000000", shipmentItems=None)
    first = only("shipstation", {"shipments": [shipment()]}, FulfillmentRecorded)
    record = only("shipstation", {"shipments": [voided]}, FulfillmentRecorded)
    assert (record.status, record.lines) == (FulfillmentOutcome.CANCELLED, ())
    assert record.channel_version > first.channel_version


def test_a_fulfillment_made_elsewhere_has_an_id_of_its_own() -> None:
    made = shipment() | {"fulfillmentId": 7, "shipmentId": None, "shipmentItems": None}
    assert only("shipstation", {"fulfillments": [made]}, FulfillmentRecorded).fulfillment_id == "7"

from leakjax.oracle import Replayed, stateless
from leakjax.records.descent import descend
from leakjax.records.oracle import RecordOracle, offer
from leakjax.records.part import RecordPart


def test_descent_sees_answers_alone_and_goes_on_where_some_are_refused(service, key):
    asked = offer(service, RecordPart(k=2), key=key, monitor=stateless(lambda x: x[0] > 20))
    found = descend(asked, budget=100, key=key)
    assert 0 < asked.refused < 100
    assert len(found.records) > 5
    again = descend(RecordOracle(Replayed(asked.transcript), 6), budget=100, key=key)
    assert again.discovered.tolist() == found.discovered.tolist()

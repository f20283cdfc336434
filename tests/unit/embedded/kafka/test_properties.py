"""server.properties of a broker: read back as Java does, where the last line of a name wins."""

from stream_jobs.embedded.kafka.properties import Node, new_node, server_properties

NODES = [Node(number, 15000 + number, 16000 + number, 17000 + number) for number in (1, 2, 3)]


def parsed(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_a_single_broker_needs_nobody_else() -> None:
    """One voter, one replica of everything; a broker that wanted more would wait forever."""
    properties = parsed(server_properties(NODES[0], NODES[:1]))
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:17001"
    for name, value in properties.items():
        if name.endswith((".replication.factor", ".min.isr", "min.insync.replicas")):
            assert value == "1", name
    assert properties["auto.create.topics.enable"] == "false"


def test_three_brokers_bear_the_loss_of_one() -> None:
    """Three replicas of which two must be there, also of the internal topics; every broker knows all voters."""
    for node in NODES:
        properties = parsed(server_properties(node, NODES))
        assert properties["node.id"] == str(node.node_id)
        assert properties["controller.quorum.voters"] == "1@127.0.0.1:17001,2@127.0.0.1:17002,3@127.0.0.1:17003"
        factors = {value for name, value in properties.items() if name.endswith(".replication.factor")}
        minima = {value for name, value in properties.items() if name.endswith((".min.isr", "min.insync.replicas"))}
        assert (factors, minima) == ({"3"}, {"2"})


def test_clients_are_told_the_advertised_port_and_brokers_the_real_one() -> None:
    """Behind a gate or proxy: what goes on between brokers does not pass it."""
    properties = parsed(server_properties(NODES[1], NODES, advertised_port=9092))
    assert properties["advertised.listeners"] == "CLIENT://127.0.0.1:9092,REPLICATION://127.0.0.1:16002"
    assert properties["listeners"].startswith("CLIENT://127.0.0.1:15002,")


def test_overrides_win() -> None:
    """Over what all brokers have in common, too."""
    text = server_properties(NODES[0], NODES[:1], overrides={"num.io.threads": "9", "min.insync.replicas": "7"})
    properties = parsed(text)
    assert (properties["num.io.threads"], properties["min.insync.replicas"]) == ("9", "7")


def test_a_new_node_has_ports_of_its_own() -> None:
    """Three different ones; that of clients may be given."""
    node = new_node(2)
    assert len({node.client_port, node.replication_port, node.controller_port}) == 3
    assert new_node(1, 9092).client_port == 9092

import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;

/**
 * What DBeaver and Metabase do through ClickHouse's JDBC driver with its defaults: read the metadata, ask, page, insert.
 * The store and the values come from the environment; the answers leave as one JSON document, which the test compares.
 */
public class StoreClient {
    interface Attempt {
        void run() throws SQLException;
    }

    static final DateTimeFormatter INSTANT = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss.SSSSSS");
    static final String TEXT = System.getenv("SAMPLE_TEXT");

    public static void main(String[] arguments) throws Exception {
        boolean writes = !System.getenv("STORE_PASSWORD").isEmpty();
        String url = "jdbc:clickhouse://" + System.getenv("STORE_HOST") + ":" + System.getenv("STORE_PORT") + "/spendstream";
        Properties properties = new Properties();
        if (writes) {
            properties.put("user", System.getenv("STORE_USER"));
            properties.put("password", System.getenv("STORE_PASSWORD"));
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            DatabaseMetaData metadata = connection.getMetaData();
            answer.put("version", metadata.getDatabaseProductVersion());
            answer.put("databases", texts(metadata.getSchemas(), "TABLE_SCHEM"));
            answer.put("tables", texts(metadata.getTables(null, "spendstream", "%", null), "TABLE_NAME"));
            answer.put("columns", pairs(metadata.getColumns(null, "spendstream", "samples", "%")));
            answer.put("types", texts(metadata.getTypeInfo(), "TYPE_NAME").contains("Decimal"));
            answer.put("functions", texts(metadata.getFunctions(null, null, "%"), "FUNCTION_NAME").contains("sum"));
            answer.put("keys", texts(metadata.getPrimaryKeys(null, "spendstream", "samples"), "COLUMN_NAME"));
            answer.put("kinds", texts(metadata.getTableTypes(), "TABLE_TYPE").contains("VIEW"));
            answer.put("parameters", parameters(connection));
            answer.put("row", stored(connection));
            answer.put("page", page(connection));
            answer.put("error", described(() -> connection.createStatement().executeQuery("SELECT * FROM nothing_here")));
            answer.put("broken", described(() -> count(connection.createStatement().executeQuery(
                "SELECT number, throwIf(number = 900000, 'too far') FROM numbers(1000000) SETTINGS max_threads = 1"))));
            if (writes) {
                insert(connection);
            } else {
                answer.put("refused", described(() -> insert(connection)));
            }
        }
        answer.put("dbeaver", dbeaver(url, properties));
        answer.put("metabase", metabase(url, properties));
        System.out.write(json(answer).getBytes(StandardCharsets.UTF_8));
        System.out.flush();
    }

    /** As its ClickHouse plugin: a session of its own, and its own questions about tables. */
    static Map<String, Object> dbeaver(String url, Properties defaults) throws SQLException {
        Properties properties = new Properties();
        properties.putAll(defaults);
        properties.put("clickhouse_setting_session_id", "sess_" + UUID.randomUUID());
        properties.put("use_time_zone", "UTC");
        Map<String, Object> answer = new LinkedHashMap<>();
        try (Connection connection = DriverManager.getConnection(url, properties);
                Statement statement = connection.createStatement()) {
            answer.put("version", texts(statement.executeQuery("SELECT VERSION()"), 1).get(0));
            answer.put("databases", texts(statement.executeQuery("SHOW DATABASES"), 1));
            answer.put("engines", texts(statement.executeQuery("SELECT name FROM system.table_engines"), 1).contains("MergeTree"));
            PreparedStatement tables = connection.prepareStatement(
                "SELECT name as TABLE_NAME, engine as TABLE_TYPE, database as TABLE_SCHEM,comment as REMARKS, * FROM system.tables\n"
                    + "WHERE database = ? and name=?");
            tables.setString(1, "spendstream");
            tables.setString(2, "samples");
            answer.put("table", texts(tables.executeQuery(), "TABLE_TYPE"));
            String ddl = texts(statement.executeQuery("SHOW CREATE TABLE spendstream.samples"), 1).get(0);
            answer.put("ddl", ddl.startsWith("CREATE TABLE spendstream.samples"));
            statement.setMaxRows(200);
            answer.put("limited", count(statement.executeQuery("SELECT number FROM numbers(1000)")));
        }
        return answer;
    }

    /** As its driver: its properties, and its questions about the server. */
    static Map<String, Object> metabase(String url, Properties defaults) throws SQLException {
        Properties properties = new Properties();
        properties.putAll(defaults);
        properties.put("use_server_time_zone_for_dates", "true");
        properties.put("product_name", "metabase/1.0");
        properties.put("remember_last_set_roles", "true");
        properties.put("http_connection_provider", "HTTP_URL_CONNECTION");
        properties.put("jdbc_ignore_unsupported_values", "true");
        properties.put("jdbc_schema_term", "schema");
        properties.put("max_open_connections", "100");
        properties.put("clickhouse_setting_select_sequential_consistency", "1");
        properties.put("clickhouse_setting_session_timezone", "Europe/Berlin");
        Map<String, Object> answer = new LinkedHashMap<>();
        try (Connection connection = DriverManager.getConnection(url, properties);
                Statement statement = connection.createStatement()) {
            String[] kinds = {"TABLE", "VIEW", "FOREIGN TABLE", "REMOTE TABLE", "DICTIONARY", "MATERIALIZED VIEW", "MEMORY TABLE", "LOG TABLE"};
            answer.put("tables", texts(connection.getMetaData().getTables(null, "spendstream", "samples", kinds), "TABLE_NAME"));
            answer.put("major", texts(statement.executeQuery(
                "WITH s AS (SELECT version() AS ver, splitByChar('.', ver) AS verSplit) "
                    + "SELECT s.ver, toInt32(verSplit[1]), toInt32(verSplit[2]) FROM s"), 2));
            answer.put("cloud", texts(statement.executeQuery("SELECT value='1' FROM system.settings WHERE name='cloud_mode'"), 1));
            answer.put("zone", texts(statement.executeQuery("SELECT timezone() AS tz"), 1));
            PreparedStatement asked = connection.prepareStatement(
                "SELECT toStartOfDay(toTimeZone(`spendstream`.`samples`.`at`, 'Europe/Berlin')) AS `at`, count(*) AS `count` "
                    + "FROM `spendstream`.`samples` WHERE `spendstream`.`samples`.`text` = ? AND `spendstream`.`samples`.`id` = 1 "
                    + "AND `spendstream`.`samples`.`at` >= parseDateTimeBestEffort('2026-11-01 00:00:00.000', 'UTC') "
                    + "GROUP BY toStartOfDay(toTimeZone(`spendstream`.`samples`.`at`, 'Europe/Berlin')) ORDER BY `at` ASC LIMIT 2000");
            asked.setString(1, TEXT);
            answer.put("described", asked.getMetaData().getColumnCount());
            answer.put("count", texts(asked.executeQuery(), "count"));
        }
        return answer;
    }

    static Map<String, Object> parameters(Connection connection) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(
                "SELECT ? AS text, toInt64(?) AS number, toDecimal128(?, 12) AS cost, toDate(?) AS day, "
                    + "toDateTime64(?, 6, 'UTC') AS at, ? AS tags, CAST(? AS Nullable(String)) AS note")) {
            statement.setString(1, TEXT);
            statement.setLong(2, Long.parseLong(System.getenv("SAMPLE_NUMBER")));
            statement.setString(3, System.getenv("SAMPLE_COST"));
            statement.setDate(4, Date.valueOf(System.getenv("SAMPLE_DAY")));
            statement.setString(5, System.getenv("SAMPLE_AT"));
            statement.setArray(6, connection.createArrayOf("String", new Object[] {TEXT, "plain"}));
            statement.setNull(7, Types.VARCHAR);
            return values(statement.executeQuery());
        }
    }

    static Map<String, Object> stored(Connection connection) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(
                "SELECT text, number, cost, day, at, tags, note FROM samples WHERE id = ? AND text = ? AND at <= ?")) {
            statement.setLong(1, 1);
            statement.setString(2, TEXT);
            statement.setTimestamp(3, Timestamp.valueOf("2030-01-01 00:00:00"));
            return values(statement.executeQuery());
        }
    }

    static void insert(Connection connection) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(
                "INSERT INTO samples (id, text, number, cost, day, at, tags, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")) {
            statement.setLong(1, 4);
            statement.setString(2, TEXT);
            statement.setLong(3, Long.parseLong(System.getenv("SAMPLE_NUMBER")));
            statement.setBigDecimal(4, new BigDecimal(System.getenv("SAMPLE_COST")));
            statement.setDate(5, Date.valueOf(System.getenv("SAMPLE_DAY")));
            statement.setObject(6, LocalDateTime.parse(System.getenv("SAMPLE_AT"), INSTANT));
            statement.setArray(7, connection.createArrayOf("String", new Object[] {TEXT, "plain"}));
            statement.setNull(8, Types.VARCHAR);
            statement.addBatch();
            statement.executeBatch();
        }
    }

    static Map<String, Object> values(ResultSet rows) throws SQLException {
        Map<String, Object> found = new LinkedHashMap<>();
        if (!rows.next()) {
            return found;
        }
        found.put("text", rows.getString("text"));
        found.put("number", Long.toString(rows.getLong("number")));
        found.put("cost", rows.getBigDecimal("cost").toPlainString());
        found.put("day", rows.getDate("day").toString());
        found.put("at", rows.getObject("at", LocalDateTime.class).format(INSTANT));
        found.put("tags", Arrays.asList((Object[]) rows.getArray("tags").getArray()));
        found.put("note", rows.getString("note"));
        return found;
    }

    static Map<String, Object> page(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT number, toString(number) AS text FROM numbers(300000)")) {
            int count = 0;
            long sum = 0;
            while (rows.next()) {
                count++;
                sum += rows.getLong(1);
            }
            return Map.of("count", count, "sum", Long.toString(sum));
        }
    }

    static Map<String, Object> described(Attempt attempt) {
        try {
            attempt.run();
        } catch (SQLException error) {
            return Map.of("type", error.getClass().getName(), "code", error.getErrorCode());
        }
        throw new IllegalStateException("it did not fail");
    }

    static int count(ResultSet rows) throws SQLException {
        int count = 0;
        while (rows.next()) {
            count++;
        }
        return count;
    }

    static List<String> texts(ResultSet rows, String column) throws SQLException {
        return texts(rows, rows.findColumn(column));
    }

    static List<String> texts(ResultSet rows, int column) throws SQLException {
        List<String> found = new ArrayList<>();
        while (rows.next()) {
            found.add(rows.getString(column));
        }
        return found;
    }

    static List<List<String>> pairs(ResultSet rows) throws SQLException {
        List<List<String>> found = new ArrayList<>();
        while (rows.next()) {
            found.add(List.of(rows.getString("COLUMN_NAME"), rows.getString("TYPE_NAME")));
        }
        return found;
    }

    static String json(Object value) {
        if (value == null || value instanceof Boolean || value instanceof Integer) {
            return String.valueOf(value);
        }
        StringBuilder text = new StringBuilder();
        if (value instanceof Map<?, ?> map) {
            map.forEach((name, item) -> text.append(text.isEmpty() ? "" : ",").append(json(name)).append(":").append(json(item)));
            return "{" + text + "}";
        }
        if (value instanceof List<?> list) {
            list.forEach(item -> text.append(text.isEmpty() ? "" : ",").append(json(item)));
            return "[" + text + "]";
        }
        for (char letter : value.toString().toCharArray()) {
            boolean plain = letter >= ' ' && letter != '"' && letter != '\\';
            text.append(plain ? String.valueOf(letter) : String.format("\\u%04x", (int) letter));
        }
        return "\"" + text + "\"";
    }
}

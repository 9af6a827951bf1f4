// Reads tables with Delta Standalone: a line of JSON a table, {table, version, files, columns, rows}, each cell as text.
// Not the cells of times and money: its reader of rows knows times of 96 bits alone, and passes by the scale of a decimal
// of 64 bits, whoever wrote them.

import io.delta.standalone.DeltaLog;
import io.delta.standalone.Snapshot;
import io.delta.standalone.data.CloseableIterator;
import io.delta.standalone.data.RowRecord;
import io.delta.standalone.types.BooleanType;
import io.delta.standalone.types.DataType;
import io.delta.standalone.types.DateType;
import io.delta.standalone.types.DecimalType;
import io.delta.standalone.types.IntegerType;
import io.delta.standalone.types.LongType;
import io.delta.standalone.types.StringType;
import io.delta.standalone.types.StructField;
import io.delta.standalone.types.TimestampType;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;

public class Standalone {
    public static void main(String[] paths) throws Exception {
        for (String path : paths) {
            Snapshot snapshot = DeltaLog.forTable(new Configuration(), path).snapshot();
            List<StructField> fields = Stream.of(snapshot.getMetadata().getSchema().getFields())
                .filter(field -> !(field.getDataType() instanceof TimestampType || field.getDataType() instanceof DecimalType))
                .collect(Collectors.toList());
            List<String> files = snapshot.getAllFiles().stream()
                .map(file -> quoted(file.getPath())).collect(Collectors.toList());
            List<String> rows = new ArrayList<>();
            try (CloseableIterator<RowRecord> records = snapshot.open()) {
                while (records.hasNext()) {
                    RowRecord record = records.next();
                    rows.add(list(fields.stream().map(field -> cell(record, field)).collect(Collectors.toList())));
                }
            }
            List<String> names = fields.stream().map(field -> quoted(field.getName())).collect(Collectors.toList());
            System.out.println("{\"table\": " + quoted(path) + ", \"version\": " + snapshot.getVersion()
                + ", \"files\": " + list(files)
                + ", \"columns\": " + list(names) + ", \"rows\": " + list(rows) + "}");
        }
    }

    static String cell(RowRecord record, StructField field) {
        String name = field.getName();
        DataType type = field.getDataType();
        if (record.isNullAt(name)) {
            return "null";
        } else if (type instanceof StringType) {
            return quoted(record.getString(name));
        } else if (type instanceof LongType) {
            return quoted(Long.toString(record.getLong(name)));
        } else if (type instanceof IntegerType) {
            return quoted(Integer.toString(record.getInt(name)));
        } else if (type instanceof BooleanType) {
            return quoted(Boolean.toString(record.getBoolean(name)));
        } else if (type instanceof DateType) {
            return quoted(record.getDate(name).toString());
        }
        throw new IllegalStateException("no table has a column of type " + type.getTypeName());
    }

    static String list(List<String> parts) {
        return "[" + String.join(", ", parts) + "]";
    }

    static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            quoted.append(c == '"' || c == '\\' || c < ' ' ? String.format("\\u%04x", (int) c) : c);
        }
        return quoted.append('"').toString();
    }
}

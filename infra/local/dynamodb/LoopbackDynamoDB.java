import com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBRequestHandler;
import com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBServerHandler;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.eclipse.jetty.server.Server;

/**
 * DynamoDB Local in memory, on a free port of the loopback interface.
 *
 * <p>AWS's own main class listens on every interface and has no option for another host, so its request handler
 * is given to a Jetty server of ours. Prints the endpoint once it answers; ends when standard input does, so
 * that it never outlives the process that started it, however that one ended.
 */
public class LoopbackDynamoDB {
    public static void main(String[] args) throws Exception {
        var store = new LocalDynamoDBRequestHandler(0, true, null, false, false);
        var server = new Server(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        server.setHandler(new LocalDynamoDBServerHandler(store, null));
        server.start();
        System.out.println("http://127.0.0.1:" + server.getURI().getPort());
        System.in.transferTo(java.io.OutputStream.nullOutputStream());
        System.exit(0);
    }
}

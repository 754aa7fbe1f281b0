import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Scanner;
import java.util.concurrent.CompletableFuture;

/**
 * An agency's software on Java's own HttpClient, with its default settings.
 *
 * Reads requests from standard input, one a line: method, URL, how the body goes (none, length, stream, asked), the body in
 * Base64, and headers as name and value; all parted by tabs. Sends them one after the other and then all at once; writes a
 * line for each answer: its status and its body in Base64.
 */
public class Teller {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        List<HttpRequest> requests = new ArrayList<>();
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            requests.add(request(lines.nextLine().split("\t")));
        }
        for (HttpRequest request : requests) {
            tell(client.send(request, BodyHandlers.ofByteArray()));
        }
        List<CompletableFuture<HttpResponse<byte[]>>> answers = new ArrayList<>();
        for (HttpRequest request : requests) {
            answers.add(client.sendAsync(request, BodyHandlers.ofByteArray()));
        }
        for (CompletableFuture<HttpResponse<byte[]>> answer : answers) {
            tell(answer.get());
        }
    }

    private static HttpRequest request(String[] parts) {
        byte[] body = Base64.getDecoder().decode(parts[3]);
        BodyPublisher publisher = BodyPublishers.ofByteArray(body);
        if (parts[2].equals("none")) {
            publisher = BodyPublishers.noBody();
        } else if (parts[2].equals("stream")) {
            publisher = BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body));
        }
        HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(parts[1]))
            .method(parts[0], publisher)
            .expectContinue(parts[2].equals("asked"))
            .timeout(Duration.ofSeconds(20));
        for (int index = 4; index < parts.length; index += 2) {
            builder.header(parts[index], parts[index + 1]);
        }
        return builder.build();
    }

    private static void tell(HttpResponse<byte[]> answer) {
        System.out.println(answer.statusCode() + "\t" + Base64.getEncoder().encodeToString(answer.body()));
    }
}

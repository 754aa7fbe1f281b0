import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Parameter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import vn.motcua.client.ApiClient;

/**
 * Asks every question with the client of openapi-generator: {@code Questions URL KEY < questions.json}.
 *
 * Prints what the client made of each answer, written as JSON again. Compiled with {@code -parameters}: they are found by name.
 */
public class Questions {
    public static void main(String[] given) throws Exception {
        ApiClient client = new ApiClient();
        client.setObjectMapper(new TextMapper());
        client.updateBaseUri(given[0]);
        client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + given[1]));
        ObjectMapper mapper = client.getObjectMapper();
        Map<String, Object> answers = new LinkedHashMap<>();
        for (JsonNode question : new ObjectMapper().readTree(System.in)) {
            try {
                answers.put(question.get("path").asText(), ask(client, mapper, question));
            } catch (InvocationTargetException failed) {
                throw new IllegalStateException(question.toString(), failed.getCause());
            }
        }
        System.out.write(mapper.writeValueAsBytes(answers));
        System.out.flush();
    }

    private static Object ask(ApiClient client, ObjectMapper mapper, JsonNode question) throws Exception {
        StringBuilder name = new StringBuilder();
        for (String word : question.get("tag").asText().split("\\W")) {
            name.append(word.substring(0, 1).toUpperCase(Locale.ROOT)).append(word.substring(1));
        }
        Object api = Class.forName("vn.motcua.client.api." + name + "Api").getConstructor(ApiClient.class).newInstance(client);
        Method method = method(api, squeezed(question.get("operation_id").asText()));
        Parameter[] parameters = method.getParameters();
        Object[] arguments = new Object[parameters.length];
        for (String place : new String[] {"in_path", "in_query"}) {
            for (Map.Entry<String, JsonNode> entry : question.get(place).properties()) {
                int index = 0;
                while (!squeezed(parameters[index].getName()).equals(squeezed(entry.getKey()))) {
                    index++;
                }
                arguments[index] = mapper.convertValue(
                    entry.getValue(), mapper.constructType(parameters[index].getParameterizedType()));
            }
        }
        Object answer = method.invoke(api, arguments);
        return answer instanceof File file ? new String(Files.readAllBytes(file.toPath()), StandardCharsets.UTF_8) : answer;
    }

    private static Method method(Object api, String name) {
        for (Method method : api.getClass().getMethods()) {
            Class<?>[] types = method.getParameterTypes();
            boolean headers = types.length > 0 && types[types.length - 1] == Map.class;
            if (squeezed(method.getName()).equals(name) && !headers) {
                return method;
            }
        }
        throw new IllegalArgumentException(name);
    }

    private static String squeezed(String name) {
        return name.replace("_", "").toLowerCase(Locale.ROOT);
    }
}

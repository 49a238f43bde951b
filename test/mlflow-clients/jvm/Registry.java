import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.mlflow.api.proto.ModelRegistry.ModelVersion;
import org.mlflow.api.proto.Service.Experiment;
import org.mlflow.api.proto.Service.Metric;
import org.mlflow.api.proto.Service.Param;
import org.mlflow.api.proto.Service.Run;
import org.mlflow.api.proto.Service.RunInfo;
import org.mlflow.api.proto.Service.RunStatus;
import org.mlflow.api.proto.Service.RunTag;
import org.mlflow.tracking.MlflowClient;
import org.mlflow.tracking.MlflowClientException;
import org.mlflow.tracking.MlflowHttpException;
import org.mlflow.tracking.ModelVersionsPage;
import org.mlflow.tracking.RunsPage;

/** A run, and the registry's flow, by the JVM client. Its writes of the registry go through its `sendPost`: it has no methods for them. */
public final class Registry {
  private static final String NAME = "jvm.model";

  private final MlflowClient client;

  private Registry(MlflowClient client) {
    this.client = client;
  }

  public static void main(String[] arguments) {
    try (MlflowClient client = new MlflowClient(arguments[0])) {
      Registry flow = new Registry(client);
      RunInfo run = flow.run();
      flow.versions(run);
      flow.refusals();
    }
    System.out.println("ok");
  }

  private RunInfo run() {
    String experiment = client.createExperiment("jvm");
    expect(client.getExperimentByName("jvm").map(Experiment::getExperimentId), Optional.of(experiment));
    client.setExperimentTag(experiment, "language", "Java");
    client.renameExperiment(experiment, "jvm renamed");
    expect(client.getExperiment(experiment).getName(), "jvm renamed");
    expect(client.searchExperiments("name = 'jvm renamed'").getItems().size(), 1);

    RunInfo info = client.createRun(experiment);
    String id = info.getRunId();
    client.logParam(id, "depth", "3");
    client.logMetric(id, "loss", 0.5, 1_000L, 1);
    client.logMetric(id, "loss", Double.NaN, 2_000L, (1L << 53) + 1);
    client.logBatch(
        id,
        List.of(Metric.newBuilder().setKey("accuracy").setValue(0.75).setTimestamp(1L).setStep(0).build()),
        List.of(Param.newBuilder().setKey("words").setValue("ünïcode").build()),
        List.of(RunTag.newBuilder().setKey("gone").setValue("x").build()));
    client.setTag(id, "team", "vision");
    client.deleteTag(id, "gone");
    client.setTerminated(id, RunStatus.FINISHED);

    Run run = client.getRun(id);
    expect(run.getInfo().getStatus(), RunStatus.FINISHED);
    Map<String, String> params = new TreeMap<>();
    run.getData().getParamsList().forEach(each -> params.put(each.getKey(), each.getValue()));
    expect(params, Map.of("depth", "3", "words", "ünïcode"));
    List<Long> steps = client.getMetricHistory(id, "loss").stream().map(Metric::getStep).sorted().collect(Collectors.toList());
    expect(steps, List.of(1L, (1L << 53) + 1));

    for (int i = 0; i < 4; i++) client.logMetric(client.createRun(experiment).getRunId(), "accuracy", i / 10.0);
    RunsPage page = client.searchRuns(List.of(experiment), "metrics.accuracy < 0.5", null, 3, List.of("metrics.accuracy DESC"));
    expect(page.getItems().size(), 3);
    expect(page.hasNextPage(), true);
    expect(page.getNextPage().getItems().iterator().next().getData().getMetrics(0).getValue(), 0.0);
    client.deleteRun(id);
    client.restoreRun(id);
    return run.getInfo();
  }

  private void versions(RunInfo run) {
    client.sendPost("registered-models/create", "{\"name\":\"" + NAME + "\",\"tags\":[{\"key\":\"tier\",\"value\":\"1\"}]}");
    for (int i = 1; i <= 3; i++) {
      String source = run.getArtifactUri() + "/m" + i;
      client.sendPost(
          "model-versions/create",
          "{\"name\":\"" + NAME + "\",\"source\":\"" + source + "\",\"run_id\":\"" + run.getRunId() + "\"}");
    }
    client.sendPost("model-versions/set-tag", "{\"name\":\"" + NAME + "\",\"version\":\"2\",\"key\":\"checked\",\"value\":\"yes\"}");
    client.sendPatch("model-versions/update", "{\"name\":\"" + NAME + "\",\"version\":\"2\",\"description\":\"second\"}");
    transition("1", "Production", false);
    transition("2", "Production", true);

    ModelVersion second = client.getModelVersion(NAME, "2");
    expect(second.getCurrentStage(), "Production");
    expect(second.getDescription(), "second");
    expect(second.getTags(0).getValue(), "yes");
    expect(client.getModelVersion(NAME, "1").getCurrentStage(), "Archived");
    expect(numbers(client.getLatestVersions(NAME, List.of("Production"))), List.of("2"));
    expect(numbers(client.getLatestVersions(NAME)), List.of("1", "2", "3"));
    expect(client.getRegisteredModel(NAME).getTags(0).getValue(), "1");
    expect(client.getModelVersionDownloadUri(NAME, "2").isEmpty(), false);

    ModelVersionsPage page = client.searchModelVersions("name = '" + NAME + "'", 2, List.of("version_number DESC"));
    expect(page.getItems().stream().map(ModelVersion::getVersion).collect(Collectors.toList()), List.of("3", "2"));
    expect(numbers(page.getNextPage().getItems()), List.of("1"));
    transition("1", "Production", true);
    expect(numbers(client.getLatestVersions(NAME, List.of("Production"))), List.of("1"));
  }

  private void refusals() {
    refused("RESOURCE_DOES_NOT_EXIST", () -> client.getModelVersion(NAME, "9"));
    refused("RESOURCE_DOES_NOT_EXIST", () -> client.getRun("none"));
    refused("RESOURCE_ALREADY_EXISTS", () -> client.sendPost("registered-models/create", "{\"name\":\"" + NAME + "\"}"));
    refused("INVALID_PARAMETER_VALUE", () -> client.searchModelVersions("nonsense = 3"));
  }

  private void transition(String version, String stage, boolean archives) {
    client.sendPost(
        "model-versions/transition-stage",
        String.format(
            "{\"name\":\"%s\",\"version\":\"%s\",\"stage\":\"%s\",\"archive_existing_versions\":%b}", NAME, version, stage, archives));
  }

  private static List<String> numbers(Iterable<ModelVersion> versions) {
    return StreamSupport.stream(versions.spliterator(), false).map(ModelVersion::getVersion).sorted().collect(Collectors.toList());
  }

  private static void expect(Object actual, Object wanted) {
    if (!actual.equals(wanted)) throw new AssertionError(actual + " instead of " + wanted);
  }

  private static void refused(String code, Runnable call) {
    try {
      call.run();
    } catch (MlflowHttpException error) {
      expect(error.getBodyMessage().contains(code), true);
      return;
    } catch (MlflowClientException error) {
      expect(String.valueOf(error.getMessage()).contains(code), true);
      return;
    }
    throw new AssertionError("not refused: " + code);
  }
}
